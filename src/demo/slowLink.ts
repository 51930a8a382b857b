import { connect, createServer, type Socket } from 'node:net'
import { pipeline, Transform } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/*
 * A program of its own: stands before one demo node and makes its link slow, for as long as it runs.
 * Arguments: address, port to listen on, port to forward to, one-way delay in ms, bytes per second each way.
 */

const [address = '', listenPort, forwardPort, delayMs, bytesPerSecond] = process.argv
  .slice(2, 7)
  .map((text, index) => (index === 0 ? text : Number(text))) as [string, number, number, number, number]

/** Delays every chunk and lets through no more than the rate; what is not taken pushes back on the sender. */
function slowly(): Transform {
  let busyUntilMs = 0
  return new Transform({
    highWaterMark: 16_384,
    transform(chunk: Buffer, _encoding, done) {
      const nowMs = performance.now()
      // An idle link costs the delay; on a busy one the delay is hidden behind what is sent already.
      const startMs = Math.max(nowMs + (busyUntilMs > nowMs ? 0 : delayMs), busyUntilMs)
      busyUntilMs = startMs + (chunk.length / bytesPerSecond) * 1000
      void delay(busyUntilMs - nowMs).then(() => done(null, chunk))
    },
  })
}

function join(client: Socket): void {
  const server = connect({ host: address, port: forwardPort, allowHalfOpen: true })
  client.setNoDelay(true)
  server.setNoDelay(true)
  // An error on one side ends both; an orderly end first delivers what is under way.
  const settle = (): void => undefined
  pipeline(client, slowly(), server, settle)
  pipeline(server, slowly(), client, settle)
}

createServer({ allowHalfOpen: true }, join)
  .on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
  .listen({ host: address, port: listenPort })
