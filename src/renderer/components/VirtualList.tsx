import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useRef } from 'react'
import { classNames } from './classNames.ts'

interface VirtualListProps<Item> {
  readonly items: readonly Item[]
  readonly itemKey: (item: Item) => string
  /** Height of every row in CSS pixels. */
  readonly rowHeight: number
  readonly renderItem: (item: Item, index: number) => ReactNode
  readonly label: string
  readonly className?: string
}

/** Only the rows in sight are in the document. */
export function VirtualList<Item>({ items, itemKey, rowHeight, renderItem, label, className }: VirtualListProps<Item>) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  })
  return (
    <div ref={scroller} className={classNames('h-full overflow-auto', className)}>
      <ul aria-label={label} className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((row) => {
          const item = items[row.index] as Item
          return (
            <li
              key={itemKey(item)}
              aria-setsize={items.length}
              aria-posinset={row.index + 1}
              className="absolute inset-x-0"
              style={{ top: row.start, height: row.size }}
            >
              {renderItem(item, row.index)}
            </li>
          )
        })}
      </ul>
    </div>
  )
}
