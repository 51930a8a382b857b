import { ViewTabs } from '../../components/ViewTabs.tsx'
import { formatHash } from '../../stores/route.ts'

const tabs = [
  { id: 'runs', label: 'Runs', href: formatHash({ view: 'runs' }) },
  { id: 'rollouts', label: 'Rollouts', href: formatHash({ view: 'runs', path: ['rollouts'] }) },
]

/** Single runs, or the changes they are part of. */
export const RunsTabs = ({ current }: { readonly current: 'runs' | 'rollouts' }) => (
  <ViewTabs label="Runs or rollouts" tabs={tabs} current={current} />
)
