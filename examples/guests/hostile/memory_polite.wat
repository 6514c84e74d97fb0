;; Takes memory until it is refused, copes, and ends well.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 65535)) (i32.const -1))))))
