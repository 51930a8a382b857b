import { shellWorker } from './shellWorker.ts'

/**
 * What every login shell is given: it says nothing of the payload, and nothing in it can be read differently by bash,
 * fish or csh. The first line of standard input says how to go on.
 */
export const bootCommand = `sh -c 'IFS= read -r b;eval "$b"'`

const program = Buffer.from(shellWorker)

/** Standard input up to the first request, for a worker in `sh`. */
export const shellBoot: Uint8Array = Buffer.concat([
  Buffer.from(
    `l_program=$(dd bs=${program.length} count=1 iflag=fullblock 2>/dev/null||dd bs=1 count=${program.length} 2>/dev/null);` +
      'eval "$l_program"\n',
  ),
  program,
])
