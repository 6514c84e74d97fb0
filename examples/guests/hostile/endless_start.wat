;; Never gets past its start function, which runs before any export is called.
(module (func $start (loop $again (br $again))) (start $start) (func (export "_start")))
