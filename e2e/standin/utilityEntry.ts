import { EventEmitter } from 'node:events'
import { pathToFileURL } from 'node:url'
import { MessageChannelMain, type MessagePortMain } from './messagePort.ts'
import type { UtilityWire } from './utilityProcess.ts'

/* First module of a utility process: puts `process.parentPort` in place, then runs the module that was asked for. */

const ports = new Map<number, MessagePortMain>()

function send(message: UtilityWire): void {
  if (process.connected) process.send?.(message)
}

/** The far end of a port that the main process handed over: what is posted on it goes up the pipe. */
function arrive(id: number): MessagePortMain {
  const { port1, port2 } = new MessageChannelMain()
  ports.set(id, port2)
  port2.handOver({
    deliver: (data) => send({ kind: 'port', port: id, data }),
    disconnect: () => {
      if (ports.delete(id)) send({ kind: 'close', port: id })
    },
  })
  return port1
}

class ParentPort extends EventEmitter {
  readonly #early: unknown[] = []

  constructor() {
    super()
    this.on('newListener', (event) => {
      if (event === 'message') queueMicrotask(() => this.#flush())
    })
  }

  postMessage(data: unknown): void {
    send({ kind: 'message', data, ports: [] })
  }

  receive(event: unknown): void {
    if (this.listenerCount('message') === 0) this.#early.push(event)
    else this.emit('message', event)
  }

  #flush(): void {
    for (const event of this.#early.splice(0)) this.emit('message', event)
  }
}

const parentPort = new ParentPort()
process.on('message', (message: UtilityWire) => {
  if (message.kind === 'message') parentPort.receive({ data: message.data, ports: message.ports.map(arrive) })
  else if (message.kind === 'port') ports.get(message.port)?.fromRemote(message.data)
  else {
    ports.get(message.port)?.close()
    ports.delete(message.port)
  }
})
// A utility process does not outlive the app: Electron ends it when the pipe breaks.
process.on('disconnect', () => process.exit(1))

Object.defineProperty(process, 'parentPort', { value: parentPort })
Object.defineProperty(process, 'type', { value: 'utility' })
const modulePath = process.argv[2]
if (modulePath === undefined) throw new Error('stand-in: no module to run')
process.argv.splice(1, 2, modulePath)
await import(pathToFileURL(modulePath).href)
