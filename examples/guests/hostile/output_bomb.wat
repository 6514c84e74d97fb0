;; Appends 64 KiB to /out/f without end.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\00\00\01\00\00\00\01\00f")
  (func (export "_start")
    (drop (call $open (i32.const 4) (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 1) (i64.const 64)
      (i64.const 0) (i32.const 0) (i32.const 16)))
    (loop $again
      (drop (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))
      (br $again))))
