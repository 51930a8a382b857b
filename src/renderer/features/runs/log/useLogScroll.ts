import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'

export const rowHeight = 20
/** Browsers cannot lay out much more; taller logs are scrolled in proportion. */
const tallestSpacer = 8_000_000

export interface LogScroll {
  readonly firstLine: number
  readonly rowCount: number
  /** Pixels by which the first line is scrolled out at the top. */
  readonly offset: number
  readonly spacerHeight: number
  readonly viewportHeight: number
  readonly atEnd: boolean
  scrollToLine(line: number): void
  scrollToEnd(): void
  scrollBy(pixels: number): void
}

/** Maps the scroll bar of an element to lines, also when there are more of them than an element can be high. */
export function useLogScroll(scroller: RefObject<HTMLDivElement | null>, lineCount: number): LogScroll {
  const [viewportHeight, setViewportHeight] = useState(0)
  const [top, setTop] = useState(0)
  const totalHeight = lineCount * rowHeight
  const spacerHeight = Math.min(totalHeight, tallestSpacer)
  const ratio =
    spacerHeight > viewportHeight ? Math.max(1, (totalHeight - viewportHeight) / (spacerHeight - viewportHeight)) : 1
  const largestTop = Math.max(0, totalHeight - viewportHeight)
  // What we set ourselves comes back as a scroll event, rounded; it must not overwrite the exact position.
  const expected = useRef(-1)

  const moveTo = useCallback(
    (next: number): void => {
      const clamped = Math.max(0, Math.min(largestTop, next))
      setTop(clamped)
      if (scroller.current === null) return
      scroller.current.scrollTop = clamped / ratio
      expected.current = scroller.current.scrollTop
    },
    [largestTop, ratio, scroller],
  )
  useLayoutEffect(() => {
    const element = scroller.current
    if (element === null) return
    const observer = new ResizeObserver(() => setViewportHeight(element.clientHeight))
    observer.observe(element)
    setViewportHeight(element.clientHeight)
    return () => observer.disconnect()
  }, [scroller])
  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    const onScroll = (): void => {
      if (Math.abs(element.scrollTop - expected.current) >= 1) setTop(element.scrollTop * ratio)
      expected.current = -1
    }
    const onWheel = (event: WheelEvent): void => {
      if (ratio === 1 || event.shiftKey || event.deltaY === 0) return
      event.preventDefault()
      moveTo(topNow.current + event.deltaY)
    }
    element.addEventListener('scroll', onScroll)
    element.addEventListener('wheel', onWheel, { passive: false })
    return () => {
      element.removeEventListener('scroll', onScroll)
      element.removeEventListener('wheel', onWheel)
    }
  }, [scroller, ratio, moveTo])
  const clampedTop = Math.min(top, largestTop)
  const topNow = useRef(clampedTop)
  topNow.current = clampedTop
  const firstLine = Math.floor(clampedTop / rowHeight)
  return {
    firstLine,
    rowCount: Math.max(0, Math.min(lineCount - firstLine, Math.ceil(viewportHeight / rowHeight) + 1)),
    offset: clampedTop - firstLine * rowHeight,
    spacerHeight,
    viewportHeight,
    atEnd: clampedTop >= largestTop - rowHeight,
    scrollToLine: (line) => moveTo(line * rowHeight - viewportHeight / 3),
    scrollToEnd: () => moveTo(Number.POSITIVE_INFINITY),
    scrollBy: (pixels) => moveTo(topNow.current + pixels),
  }
}
