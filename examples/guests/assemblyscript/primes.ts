// Sums the primes below a million and writes the sum to stdout, by the imports of WASI and ICN themselves.

@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, buffers: usize, count: u32, written: usize): u32;

@external("icn_mesh_v1", "host_report_progress")
declare function host_report_progress(partsPerMillion: u32, text: usize, textLen: u32): i32;

const LIMIT: i32 = 1_000_000;

function print(line: string): void {
  const bytes = String.UTF8.encode(line);
  const list = new StaticArray<usize>(3);
  list[0] = changetype<usize>(bytes);
  list[1] = bytes.byteLength;
  fd_write(1, changetype<usize>(list), 1, changetype<usize>(list) + 8);
}

export function _start(): void {
  const composite = new StaticArray<bool>(LIMIT);
  let sum: i64 = 0;
  for (let n = 2; n < LIMIT; n++) {
    if (n % 250_000 == 0) host_report_progress(n, 0, 0);
    if (composite[n]) continue;
    sum += n;
    for (let m = <i64>n * n; m < LIMIT; m += n) composite[<i32>m] = true;
  }
  print("the primes below " + LIMIT.toString() + " sum to " + sum.toString() + "\n");
}
