import { z } from 'zod'
import { TerminalId } from '../model/ids.ts'
import { Terminal, TerminalSize } from '../model/terminal.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'

/** Only the handles; the bytes take the raw channel, see `shared/terminalFrames.ts`. */
export const terminalsContract = {
  list: procedure.output(z.array(Terminal)),
  open: procedure.input(z.object({ node: NodeReference, size: TerminalSize })).output(Terminal),
  close: procedure.input(z.object({ terminalId: TerminalId })).output(Terminal),
}
