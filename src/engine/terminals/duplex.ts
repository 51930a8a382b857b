/**
 * One raw channel to one window, whatever carries it (MessagePort, binary WebSocket). Each message is one frame of
 * `shared/terminalFrames.ts`. Hosts adapt their transport to this; messages stay whole and in order.
 */
export interface TerminalDuplex {
  send(bytes: Uint8Array): void
  /** One listener; replaces the one before. */
  onMessage(listener: (bytes: Uint8Array) => void): void
  /** Called once when the other side is gone, for whatever reason. */
  onClose(listener: () => void): void
  close(): void
}
