import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react'
import { AppError } from '../../shared/errors.ts'
import type { EngineLink, LinkStatus } from './link.ts'

const LinkContext = createContext<EngineLink | null>(null)

export function LinkProvider({ link, children }: { readonly link: EngineLink; readonly children: ReactNode }) {
  return <LinkContext.Provider value={link}>{children}</LinkContext.Provider>
}

/** The link of this window; throws outside a `LinkProvider`, which is a mistake in the code. */
export function useLink(): EngineLink {
  const link = useContext(LinkContext)
  if (link === null) throw new AppError('INTERNAL', 'no LinkProvider around this component')
  return link
}

export function useLinkStatus(): LinkStatus {
  const { status } = useLink()
  return useSyncExternalStore(status.subscribe, status.get)
}
