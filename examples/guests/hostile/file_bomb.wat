;; Makes folders /out/aaaa, /out/baaa, ... without end.
(module
  (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "aaaa")
  (func (export "_start")
    (local $n i32)
    (loop $again
      (i32.store8 (i32.const 0) (i32.add (i32.const 97) (i32.rem_u (local.get $n) (i32.const 26))))
      (i32.store8 (i32.const 1) (i32.add (i32.const 97) (i32.rem_u (i32.div_u (local.get $n) (i32.const 26)) (i32.const 26))))
      (i32.store8 (i32.const 2) (i32.add (i32.const 97) (i32.rem_u (i32.div_u (local.get $n) (i32.const 676)) (i32.const 26))))
      (drop (call $mkdir (i32.const 4) (i32.const 0) (i32.const 4)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $again))))
