import { AppError, type ErrorCode } from '../../../shared/errors.ts'
import type { Diagnosis } from '../../../shared/model/diagnosis.ts'

/** What the failed call was for, in the words of the sentence about it. */
export interface CallSubject {
  readonly server: string
  /** E.g. `watch the ConfigMap default/service-registry`. */
  readonly aim: string
}

const addressCauses: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network to it',
  ETIMEDOUT: 'it does not answer',
  ECONNRESET: 'it cut the connection',
  EPIPE: 'it cut the connection',
}

const certificateCauses: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; compare the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not from the authority in the kubeconfig',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not from the authority in the kubeconfig',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not from the authority in the kubeconfig',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is not from the authority in the kubeconfig',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not from the authority in the kubeconfig',
  CERT_SIGNATURE_FAILURE: 'its certificate is not from the authority in the kubeconfig',
}

/** A connection that did not come about, or ended before the answer did. */
export function connectionFailure(thrown: unknown, { server, aim }: CallSubject): AppError {
  if (thrown instanceof AppError) return thrown
  const code = String((thrown as { readonly code?: unknown } | null)?.code ?? '')
  const certificate = certificateCauses[code]
  if (certificate !== undefined)
    return new AppError('REGISTRY_SOURCE_REFUSED', `Cannot ${aim}: we do not trust ${server}, ${certificate}.`)
  if (/^ERR_(?:SSL|OSSL)/.test(code))
    return new AppError(
      'REGISTRY_SOURCE_REFUSED',
      `Cannot ${aim}: ${server} and we do not agree about TLS or certificates (${code}).`,
    )
  const cause = addressCauses[code] ?? (code === '' ? 'the connection ended' : `the connection failed (${code})`)
  return new AppError('REGISTRY_SOURCE_UNREACHABLE', `Cannot ${aim}: ${server} is not reachable, ${cause}.`)
}

export function timeoutFailure(timeoutMs: number, { server, aim }: CallSubject): AppError {
  const seconds = Math.round(timeoutMs / 100) / 10
  return new AppError('REGISTRY_SOURCE_UNREACHABLE', `Cannot ${aim}: ${server} did not answer within ${seconds} s.`)
}

/** Somebody else wrote in between (409). */
export function isConflict(thrown: unknown): boolean {
  return thrown instanceof AppError && thrown.data?.status === 409
}

export function isForbidden(thrown: unknown): boolean {
  return thrown instanceof AppError && thrown.data?.status === 403
}

/** @param said message of the Status object, already without secrets */
export function statusFailure(status: number, said: string, { server, aim }: CallSubject): AppError {
  const data = { status, said: said.slice(0, 300) }
  const failure = (code: ErrorCode, words: string): AppError => new AppError(code, `Cannot ${aim}: ${words}.`, { data })
  switch (status) {
    case 401:
      return failure(
        'REGISTRY_SOURCE_REFUSED',
        `${server} does not accept the credentials of the kubeconfig. Log in to the cluster anew`,
      )
    case 403:
      return failure(
        'REGISTRY_SOURCE_REFUSED',
        `the user of the kubeconfig is not permitted to. Give it a Role with get, list and watch on this ConfigMap`,
      )
    case 404:
      return failure('NOT_FOUND', `${server} knows no such thing`)
    case 409:
      return failure('CONFLICT', 'somebody else wrote it at the same time')
    case 410:
      return failure('REGISTRY_SOURCE_UNREACHABLE', 'the API server has forgotten the version we know')
    case 422:
      return failure('REGISTRY_SOURCE_REFUSED', 'the API server does not take it; it may be immutable')
    default:
      return failure('REGISTRY_SOURCE_UNREACHABLE', `${server} answered with status ${status}`)
  }
}

/** The place is followed, and nothing is there. */
export function mapMissing(namespace: string, name: string): AppError {
  return new AppError(
    'NOT_FOUND',
    `There is no ConfigMap ${namespace}/${name}. Create it; it is read as soon as it is there.`,
  )
}

/** Another try soon can help; otherwise a person has to correct something first. */
export function isTransient(error: AppError): boolean {
  return ['REGISTRY_SOURCE_UNREACHABLE', 'NOT_FOUND', 'CONFLICT', 'INTERNAL'].includes(error.code)
}

const shorts: Partial<Record<ErrorCode, string>> = {
  REGISTRY_SOURCE_UNREACHABLE: 'cluster not reachable',
  REGISTRY_SOURCE_REFUSED: 'cluster refuses us',
  NOT_FOUND: 'no such ConfigMap',
  REGISTRY_INVALID: 'wrong content',
  INVALID_INPUT: 'wrong kubeconfig',
}

/** The cause of a failing source. The last good revision stays in force, which is said here and done by the caller. */
export function diagnosisOf(error: AppError): Diagnosis {
  const transient = isTransient(error)
  const { said } = error.data ?? {}
  return {
    code: error.code,
    sentence: `${error.message} The last good revision stays in force.`,
    short: shorts[error.code] ?? 'source fails',
    evidence: typeof said === 'string' && said !== '' ? [said] : [],
    nextAction: transient
      ? { kind: 'wait', label: 'Is tried again' }
      : { kind: 'none', label: 'Correct it, then look again' },
    transient,
  }
}
