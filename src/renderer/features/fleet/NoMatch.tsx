import { Button } from '../../components/Button.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { updateQuery } from '../../stores/route.ts'

/** A single word without a wildcard: it means a whole name, which is rarely what was meant. */
const looseWord = (filter: string): string | null => (/^[^\s:*()"]+$/.test(filter) ? `*${filter}*` : null)

/** Nothing is hidden by a fault: the filter means no node. Offers the two ways on. */
export function NoMatch({ filter }: { readonly filter: string }) {
  const wider = looseWord(filter.trim())
  return (
    <EmptyState
      title="No node matches this filter"
      actions={
        <>
          {wider !== null && (
            <Button onClick={() => updateQuery({ filter: wider })}>Names that hold “{filter.trim()}”</Button>
          )}
          <Button onClick={() => updateQuery({ filter: undefined })}>Show all nodes</Button>
        </>
      }
    >
      {wider === null ? (
        <code>{filter}</code>
      ) : (
        `“${filter.trim()}” means a node of exactly this name. A * stands for any text.`
      )}
    </EmptyState>
  )
}
