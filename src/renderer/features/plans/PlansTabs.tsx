import { ViewTabs } from '../../components/ViewTabs.tsx'
import { formatHash } from '../../stores/route.ts'

const tabs = [
  { id: 'plans', label: 'Plans', href: formatHash({ view: 'plans' }) },
  { id: 'drift', label: 'Drift', href: formatHash({ view: 'plans', path: ['drift'] }) },
]

/** What should be, or how far what is there differs from it. */
export const PlansTabs = ({ current }: { readonly current: 'plans' | 'drift' }) => (
  <ViewTabs label="Plans or drift" tabs={tabs} current={current} />
)
