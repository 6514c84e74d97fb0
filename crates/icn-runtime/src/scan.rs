//! A look at a module before it is compiled: cheap bounds, and imports that nobody provides.
//!
//! Validation and the types of imports are left to Wasmtime, which checks them anyway.

use wasmparser::{Parser, Payload, TypeRef};

use crate::abi::{Call, MESH, WASI};
use crate::engine::TABLES_MAX;
use crate::outcome::ExecutionError;
use crate::{Config, abi};

/// What a module asks for at its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Bytes of memory.
    pub(crate) memory_bytes: u64,
    /// Elements of the largest table.
    pub(crate) table_elements: u64,
}

/// Reads the sections of a module and checks them against the limits.
pub(crate) fn scan(wasm: &[u8], config: &Config) -> Result<Wants, ExecutionError> {
    let len = wasm.len() as u64;
    if len > config.module_bytes_max {
        let max = config.module_bytes_max;
        return Err(too_large(format!("the module has {len} bytes, and {max} are allowed")));
    }
    if !wasm.starts_with(b"\0asm\x01\0\0\0") {
        let component = wasm.starts_with(b"\0asm\x0d\0\x01\0");
        let what = if component {
            "a WebAssembly component; give a core module"
        } else {
            "not a WebAssembly module"
        };
        return Err(ExecutionError::new("not_a_module", format!("these bytes are {what}")));
    }
    let mut wants = Wants::default();
    for payload in Parser::new(0).parse_all(wasm) {
        look(payload.map_err(|error| invalid(&error))?, config, &mut wants)?;
    }
    Ok(wants)
}

fn look(payload: Payload<'_>, config: &Config, wants: &mut Wants) -> Result<(), ExecutionError> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sections without a bound of ours; Wasmtime validates them"
    )]
    match payload {
        Payload::ImportSection(imports) => {
            for import in imports.into_imports() {
                let import = import.map_err(|error| invalid(&error))?;
                check_import(import.module, import.name, import.ty)?;
            }
        }
        Payload::FunctionSection(functions) if functions.count() > config.functions_max => {
            let (count, max) = (functions.count(), config.functions_max);
            return Err(too_large(format!("the module has {count} functions, and {max} are allowed")));
        }
        Payload::CodeSectionEntry(body) => {
            let (len, max) = (body.range().len(), config.function_bytes_max);
            if len as u64 > u64::from(max) {
                return Err(too_large(format!(
                    "the module has a function of {len} bytes, and {max} are allowed: split it"
                )));
            }
        }
        Payload::MemorySection(memories) => {
            if memories.count() > 1 {
                return Err(too_large("the module has more than one memory".to_owned()));
            }
            for memory in memories {
                let pages = memory.map_err(|error| invalid(&error))?.initial;
                wants.memory_bytes = wants.memory_bytes.saturating_add(pages.saturating_mul(65_536));
            }
        }
        Payload::TableSection(tables) => {
            if tables.count() > TABLES_MAX {
                let count = tables.count();
                return Err(too_large(format!(
                    "the module has {count} tables, and {TABLES_MAX} are allowed"
                )));
            }
            for table in tables {
                let table = table.map_err(|error| invalid(&error))?;
                wants.table_elements = wants.table_elements.max(table.ty.initial);
            }
        }
        _ => {}
    }
    Ok(())
}

fn check_import(module: &str, name: &str, ty: TypeRef) -> Result<(), ExecutionError> {
    let known = Call::ALL.iter().any(|call| call.import() == (module, name));
    if known && matches!(ty, TypeRef::Func(_)) {
        return Ok(());
    }
    let hint = match module {
        WASI => "this is no function of WASI preview 1".to_owned(),
        MESH => format!("{MESH} has no such function in this version"),
        _ => format!("only functions of `{WASI}` and `{}` can be imported", abi::MESH),
    };
    let shown = |text: &str| -> String { text.chars().take(100).collect() };
    let message = format!("the module imports `{}::{}`: {hint}", shown(module), shown(name));
    Err(ExecutionError::new("unknown_import", message))
}

fn too_large(message: String) -> ExecutionError {
    ExecutionError::new("module_too_large", message)
}

fn invalid(error: &wasmparser::BinaryReaderError) -> ExecutionError {
    ExecutionError::new("invalid_module", format!("the module cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wat: &str, code: Option<&str>) {
        let config = Config {
            function_bytes_max: 100,
            functions_max: 3,
            module_bytes_max: 1_000,
            ..Config::default()
        };
        let result = scan(&wat::parse_str(wat).unwrap(), &config);
        assert_eq!(result.err().map(|error| error.code).as_deref(), code, "{wat}");
    }

    #[test]
    fn bounds_and_imports_are_checked_before_compilation() {
        check("(module)", None);
        check(r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#, None);
        check(r#"(module (import "wasi_snapshot_preview1" "fd_writ" (func)))"#, Some("unknown_import"));
        check(r#"(module (import "wasi_snapshot_preview1" "fd_write" (memory 1)))"#, Some("unknown_import"));
        check(r#"(module (import "icn_mesh_v1" "host_submit_job" (func)))"#, Some("unknown_import"));
        check(r#"(module (import "env" "memory" (memory 1)))"#, Some("unknown_import"));
        check("(module (func) (func) (func) (func))", Some("module_too_large"));
        check(&format!("(module (func {}))", "i32.const 1 drop ".repeat(50)), Some("module_too_large"));
        check(
            &format!(r#"(module (memory 1) (data (i32.const 0) "{}"))"#, "x".repeat(1_000)),
            Some("module_too_large"),
        );
        check(&format!("(module {})", "(table 1 funcref)".repeat(5)), Some("module_too_large"));
        check("(component)", Some("not_a_module"));
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic() {
        let config = Config::default();
        assert_eq!(scan(b"", &config).unwrap_err().code, "not_a_module");
        assert_eq!(scan(b"\0asm\x01\0\0\0\xff\xff\xff", &config).unwrap_err().code, "invalid_module");
    }

    #[test]
    fn the_start_is_known() {
        let wants = |wat: &str| scan(&wat::parse_str(wat).unwrap(), &Config::default()).unwrap();
        assert_eq!(
            wants("(module (memory 3) (table 7 funcref) (table 5 funcref))"),
            Wants { memory_bytes: 3 * 65_536, table_elements: 7 }
        );
    }
}
