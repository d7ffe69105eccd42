//! A module that counts its own instructions: in front of whatever may branch stands what was run since the last such place.
//!
//! An interpreter's fuel is charged for whole blocks, whether or not they are left early, so it measures the size of the code as much as
//! what is run. A copy of memory is one instruction, however long.

use anyhow::Result;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Instruction, ValType,
};

/// The exported global that holds the count, which the host may set.
pub(crate) const COUNT: &str = "instructions";

/// The module, made to count.
pub(crate) fn counted(module: &[u8]) -> Result<Vec<u8>> {
    let mut counting = wasm_encoder::Module::new();
    Counting { global: 0 }.parse_core_module(&mut counting, wasmparser::Parser::new(0), module)?;
    Ok(counting.finish())
}

struct Counting {
    global: u32,
}

impl Reencode for Counting {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_global_section(self, globals, section)?;
        self.global = globals.len();
        globals.global(GlobalType { val_type: ValType::I64, mutable: true, shared: false }, &ConstExpr::i64_const(0));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(COUNT, ExportKind::Global, self.global);
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut reader = body.get_operators_reader()?;
        let mut run = 0;
        while !reader.eof() {
            let instruction = self.parse_instruction(&mut reader)?;
            run += 1;
            if may_branch(&instruction) {
                let add = [
                    Instruction::GlobalGet(self.global),
                    Instruction::I64Const(run),
                    Instruction::I64Add,
                    Instruction::GlobalSet(self.global),
                ];
                add.iter().for_each(|instruction| {
                    function.instruction(instruction);
                });
                run = 0;
            }
            function.instruction(&instruction);
        }
        code.function(&function);
        Ok(())
    }
}

/// Whether what follows may be run more or less often than what came before.
fn may_branch(instruction: &Instruction<'_>) -> bool {
    matches!(
        instruction,
        Instruction::Loop(_)
            | Instruction::If(_)
            | Instruction::Else
            | Instruction::End
            | Instruction::Br(_)
            | Instruction::BrIf(_)
            | Instruction::BrTable(..)
            | Instruction::Return
            | Instruction::Unreachable
    )
}
