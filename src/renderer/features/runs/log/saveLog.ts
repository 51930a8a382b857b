import type { Run } from '../../../../shared/model/run.ts'
import { saveBlob } from '../../../components/saveBlob.ts'
import type { LogReader } from './logReader.ts'

const readBytes = 4 * 1024 * 1024

interface SaveOptions {
  readonly totalBytes: number
  readonly onProgress: (savedBytes: number) => void
}

/** Hands the log over as a file. The pieces become a Blob, which the browser keeps on disk when it is large. */
export async function saveLog(run: Run, reader: LogReader, options: SaveOptions): Promise<void> {
  const pieces: Blob[] = []
  for (let offset = 0; offset < options.totalBytes; ) {
    options.onProgress(offset)
    const bytes = await reader.read(offset, Math.min(readBytes, options.totalBytes - offset))
    if (bytes.length === 0) break
    pieces.push(new Blob([bytes]))
    offset += bytes.length
  }
  saveBlob(new Blob(pieces, { type: 'text/plain' }), `${run.nodeName}-${run.planName}-${run.id}.log`)
}
