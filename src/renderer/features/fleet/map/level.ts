/** How much a tile says at a size: only its fill, all five answers, or words and buttons as well. */
export type ZoomLevel = 'dot' | 'tile' | 'card'

const tileSide = 14
export const labelSide = 62
const cardSide = 126

export const levelOf = (side: number): ZoomLevel => (side < tileSide ? 'dot' : side < cardSide ? 'tile' : 'card')

export interface CardButton {
  readonly kind: 'resync' | 'renew'
  readonly label: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const cardPadding = 8
const buttonHeight = 24

/** The two buttons of a card, from its upper left corner: the same for drawing and for hitting. */
export function cardButtons(side: number): readonly CardButton[] {
  const width = (side - 2 * cardPadding - 6) / 2
  const y = side - cardPadding - buttonHeight
  return [
    { kind: 'resync', label: 'Resync', x: cardPadding, y, width, height: buttonHeight },
    { kind: 'renew', label: 'Renew', x: cardPadding + width + 6, y, width, height: buttonHeight },
  ]
}
