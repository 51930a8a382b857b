import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { ErrorBody } from '../../../shared/errors.ts'
import { CertificatePurpose, type IssuedCertificate } from '../../../shared/model/certificate.ts'
import type { CertificateId } from '../../../shared/model/ids.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'
import type { Route } from '../../stores/route.ts'
import { type LogFilter, matchesLog } from './certificateFilter.ts'

export const pageSize = 500
const standings: readonly LogFilter['standing'][] = ['live', 'expired', 'revoked']

const integer = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null

/** The filter as the address bar says it; what makes no sense there is left out. */
export function readLogFilter(query: Route['query']): LogFilter {
  const from = integer(query.from)
  const before = integer(query.before)
  return {
    search: query.search ?? '',
    purposes: CertificatePurpose.options.filter((purpose) => (query.purpose ?? '').split(',').includes(purpose)),
    standing: standings.find((standing) => standing === query.standing) ?? 'all',
    node: query.node ?? '',
    ends: from === null || before === null || before <= from ? null : { from, before },
  }
}

export interface IssueLogRows {
  readonly rows: readonly IssuedCertificate[]
  /** The first answer is not here yet. */
  readonly pending: boolean
  /** What is shown answers the question before. */
  readonly outdated: boolean
  readonly error: ErrorBody | null
  readonly more: { readonly has: boolean; readonly busy: boolean; readonly load: () => void }
}

/** Page by page as one scrolls, with what was issued or revoked meanwhile laid over it. */
export function useIssueLog(filter: LogFilter): IssueLogRows {
  const { client } = useLink()
  const now = useNow(10_000)
  const live = useReplica((state) => state.certificates)
  // Grows when events may have been missed.
  const revision = useRevision('authorities')
  const { search, purposes, standing, node, ends } = filter
  const asked = {
    search,
    standing,
    ...(purposes.length === 0 ? {} : { purposes: [...purposes] }),
    ...(node === '' ? {} : { node }),
    ...(ends === null ? {} : { endsFrom: ends.from, endsBefore: ends.before }),
  }
  const query = useInfiniteQuery({
    queryKey: ['issue log', revision, asked],
    queryFn: ({ pageParam }) =>
      client.certificates.list({ ...asked, limit: pageSize, ...(pageParam === null ? {} : { before: pageParam }) }),
    initialPageParam: null as CertificateId | null,
    getNextPageParam: (page) => (page.length < pageSize ? null : (page.at(-1)?.id ?? null)),
    placeholderData: keepPreviousData,
    // Many pages are not read again for every look: what is new comes as events.
    staleTime: 60_000,
  })
  const { data, hasNextPage } = query
  const rows = useMemo(() => {
    const byId = new Map((data?.pages ?? []).flat().map((certificate) => [certificate.id, certificate]))
    const oldest = data?.pages.at(-1)?.at(-1)?.id
    for (const [id, certificate] of live) {
      // Older ones belong to pages that are not loaded yet.
      if (!hasNextPage || oldest === undefined || id >= oldest) byId.set(id, certificate)
    }
    return [...byId.values()]
      .filter((certificate) => matchesLog(certificate, filter, now))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
  }, [data, live, filter, now, hasNextPage])
  return {
    rows,
    pending: query.isPending,
    outdated: query.isPlaceholderData,
    error: query.error === null ? null : toErrorBody(query.error),
    more: {
      has: hasNextPage,
      busy: query.isFetchingNextPage,
      load: () => {
        if (query.isFetching) return
        void query.fetchNextPage()
      },
    },
  }
}

export interface FoundCertificate {
  readonly certificate: IssuedCertificate | undefined
  readonly missing: boolean
  readonly error: ErrorBody | null
}

/** One certificate by its id, or by the serial that the drawer of a node shows. */
export function useCertificate(reference: string): FoundCertificate {
  const { client } = useLink()
  const live = useReplica((state) => state.certificates.get(reference as CertificateId))
  const isSerial = /^\d+$/.test(reference)
  const query = useQuery({
    queryKey: ['certificate', reference],
    queryFn: async () => {
      const found = isSerial
        ? await client.certificates.list({ search: reference, limit: 1000 })
        : await client.certificates.list({ before: after(reference), limit: 1 })
      return (
        found.find((each) =>
          isSerial ? each.serial === reference && each.purpose !== 'host' : each.id === reference,
        ) ?? null
      )
    },
  })
  return {
    certificate: live ?? query.data ?? undefined,
    missing: query.data === null && live === undefined,
    error: query.error === null ? null : toErrorBody(query.error),
  }
}

/** The smallest id above this one, so that a list of those before it begins with it. */
function after(id: string): CertificateId {
  const digits = id.replaceAll('-', '')
  const next = (BigInt(`0x${digits}`) + 1n).toString(16).padStart(32, '0')
  return `${next.slice(0, 8)}-${next.slice(8, 12)}-${next.slice(12, 16)}-${next.slice(16, 20)}-${next.slice(20)}` as CertificateId
}
