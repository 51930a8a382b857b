import { loginWords } from '../tileWords.ts'
import { type Cell, ellipsize, type Frame, interfaceFont } from './frame.ts'
import { cardButtons } from './level.ts'
import { beginShape } from './shapes.ts'
import { styles } from './styles.ts'

/** Name, reason, last verified and the two buttons. */
export function paintCard(frame: Frame, cell: Cell): void {
  const { context, theme, scene } = frame
  const { index, x, y, side } = cell
  const style = scene.style[index] ?? 0
  const colour = theme.styleColours[style] ?? theme.text
  context.fillStyle = theme.surface
  context.fillRect(x, y, side, side)
  context.strokeStyle = theme.lineStrong
  context.lineWidth = 1
  context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1)
  const mark = beginShape(context, styles[style]?.shape ?? 'solid', 14, colour)
  const inset = (1 - frame.settled(index)) * 4
  mark.add(context, x + 10 + inset, y + 11 + inset, 14 - 2 * inset, 14 - 2 * inset)
  mark.end()
  context.textBaseline = 'alphabetic'
  context.fillStyle = theme.text
  context.font = `600 13px ${interfaceFont}`
  context.fillText(ellipsize(context, scene.nodes[index]?.name ?? '', side - 42), x + 30, y + 23)
  context.font = `12px ${interfaceFont}`
  context.fillStyle = colour
  context.fillText(ellipsize(context, scene.tiles[index]?.short ?? '', side - 20), x + 10, y + 46)
  context.fillStyle = theme.faint
  context.fillText(ellipsize(context, frame.verifiedWords(index), side - 20), x + 10, y + 64)
  if (side >= roomyCard) paintCertificateWords(frame, cell)
  paintCardButtons(frame, cell)
}

/** From here on a card has room for what the hairline says. */
const roomyCard = 136

function paintCertificateWords({ context, theme, scene }: Frame, { index, x, y, side }: Cell): void {
  const tile = scene.tiles[index]
  if (tile === undefined) return
  context.fillStyle =
    tile.certificate.level === 'soon' || tile.certificate.level === 'static-key'
      ? theme.pending
      : tile.certificate.level === 'ok' || tile.certificate.level === 'none'
        ? theme.faint
        : theme.error
  context.fillText(ellipsize(context, loginWords(tile), side - 20), x + 10, y + 82)
}

function paintCardButtons({ context, theme }: Frame, { x, y, side }: Cell): void {
  context.font = `500 12px ${interfaceFont}`
  context.textAlign = 'center'
  for (const button of cardButtons(side)) {
    context.strokeStyle = theme.lineStrong
    context.beginPath()
    context.roundRect(x + button.x + 0.5, y + button.y + 0.5, button.width - 1, button.height - 1, 5)
    context.stroke()
    context.fillStyle = theme.text
    context.fillText(button.label, x + button.x + button.width / 2, y + button.y + 16)
  }
  context.textAlign = 'left'
}
