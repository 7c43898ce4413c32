/**
 * Long texts in pieces, for platforms that bound a message by its characters.
 *
 * Pure. Behind step 7, on the way out.
 */

/** How long a piece may be, and how many there may be. */
export interface PieceBounds {
  readonly unitsMax: number // UTF-16 units of one message
  readonly piecesMax: number
}

/**
 * Splits a text: at a line break, else at a space, else between two code points. No piece is empty;
 * of more than `piecesMax` the last one says how many characters are missing.
 */
export function splitText(text: string, { unitsMax, piecesMax }: PieceBounds): string[] {
  const pieces: string[] = []
  let rest = text.replaceAll('\0', '').trim()
  while (rest !== '') {
    if (pieces.length === piecesMax - 1 && rest.length > unitsMax) {
      return [...pieces, `[${rest.length} more characters were not sent]`]
    }
    const end = endOfPiece(rest, unitsMax)
    pieces.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return pieces
}

// A break in the second half is taken: one before would leave most of a message empty.
function endOfPiece(text: string, unitsMax: number): number {
  if (text.length <= unitsMax) return text.length
  const head = text.slice(0, unitsMax)
  for (const mark of ['\n', ' ']) {
    const at = head.lastIndexOf(mark)
    if (at > unitsMax / 2) return at
  }
  const last = head.charCodeAt(unitsMax - 1)
  return last >= 0xd800 && last <= 0xdbff ? unitsMax - 1 : unitsMax
}
