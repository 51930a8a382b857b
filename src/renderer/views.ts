import {
  Activity,
  BadgeCheck,
  BookOpen,
  GitCommitVertical,
  HardDriveUpload,
  LayoutGrid,
  type LucideIcon,
  ScrollText,
  Send,
  Settings,
} from 'lucide-react'
import { type ComponentType, lazy } from 'react'
import type { Route } from './stores/route.ts'

/** What every `features/<id>/index.tsx` exports under the name `View`. */
export interface ViewProps {
  readonly route: Route
}

export interface ViewEntry {
  readonly id: string
  readonly label: string
  readonly icon: LucideIcon
  /** Second key after `g`. */
  readonly key: string
  readonly View: ComponentType<ViewProps>
}

type ViewModule = { readonly View: ComponentType<ViewProps> }

const modules = import.meta.glob<ViewModule>('./features/*/index.tsx')

interface Declared extends Omit<ViewEntry, 'View'> {}

const declared: readonly Declared[] = [
  { id: 'fleet', label: 'Fleet', icon: LayoutGrid, key: 'f' },
  { id: 'runs', label: 'Runs', icon: Activity, key: 'r' },
  { id: 'agents', label: 'Agents', icon: HardDriveUpload, key: 'n' },
  { id: 'certificates', label: 'Certificates', icon: BadgeCheck, key: 'c' },
  { id: 'plans', label: 'Plans', icon: Send, key: 'p' },
  { id: 'registry', label: 'Registry', icon: BookOpen, key: 'e' },
  { id: 'repositories', label: 'Repositories', icon: GitCommitVertical, key: 'o' },
  { id: 'audit', label: 'Audit', icon: ScrollText, key: 'a' },
  { id: 'settings', label: 'Settings', icon: Settings, key: 's' },
]

/** The left rail, in order; a view is loaded when it is first shown. */
export const views: readonly ViewEntry[] = declared.flatMap((entry) => {
  const load = modules[`./features/${entry.id}/index.tsx`]
  return load === undefined ? [] : [{ ...entry, View: lazy(async () => ({ default: (await load()).View })) }]
})
