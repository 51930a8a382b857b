import { AppError } from '../shared/errors.ts'

/**
 * Says in the operator's words why a file could not be written: LOCAL_DISK_FULL or HOME_NOT_WRITABLE.
 * Anything else comes back unchanged.
 */
export function explainFileError(thrown: unknown, path: string): unknown {
  const code = (thrown as NodeJS.ErrnoException | null)?.code
  const data = { path, reason: code }
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError('LOCAL_DISK_FULL', `no space left to write ${path}: free some space and try again`, {
        data,
        cause: thrown,
      })
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new AppError('HOME_NOT_WRITABLE', `${path} cannot be written (${code}): check its owner and mount`, {
        data,
        cause: thrown,
      })
    default:
      return thrown
  }
}

/** True for a system error with this code. */
export function hasErrorCode(thrown: unknown, code: string): boolean {
  return (thrown as NodeJS.ErrnoException | null)?.code === code
}
