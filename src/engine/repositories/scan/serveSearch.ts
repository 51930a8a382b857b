import { parentPort, workerData } from 'node:worker_threads'
import { Progress } from './progress.ts'
import type { SearchMessage, SearchOrder } from './protocol.ts'
import { searchTree, TooManySecretsError } from './searchTree.ts'
import type { Library } from './secretlint.ts'
import { TreeError } from './treeFiles.ts'

/** The whole of the thread: one request, then its end. */
export async function serveSearch(library: Library): Promise<void> {
  const order = workerData as SearchOrder
  const progress = new Progress(order.progress)
  const say = (message: SearchMessage): void => parentPort?.postMessage(message)
  try {
    say({ kind: 'done', searched: await searchTree(order.request, library, (file) => progress.begin(file)) })
  } catch (error) {
    const file = error instanceof TreeError ? error.file : progress.file
    say({ kind: 'failed', file, reason: reasonOf(error) })
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof TreeError || error instanceof TooManySecretsError) return error.message
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown error'
}
