;; Takes memory until it is refused, then aborts, as most allocators do.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 256)) (i32.const -1))))
    unreachable))
