export { remoteScript, shellQuote } from '../../core/transfer/remoteShell.ts'
