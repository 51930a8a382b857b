export type { RsyncTransfer } from '../../core/transfer/rsyncArguments.ts'
