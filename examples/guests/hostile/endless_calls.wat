;; Calls the host without end, so that its fuel counter is set again and again.
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (loop $again (drop (call $yield)) (br $again))))
