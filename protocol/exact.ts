/**
 * Texts of others as they are, for people who must judge them: nothing in them can hide, turn the rest
 * round, or look like the end of what is shown.
 */

// Controls, formats, private and unassigned units, separators, what is drawn as nothing (variation
// selectors, fillers, joiners), and blanks that are none of ours.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu

/** Writes what cannot be seen in a JSON text as escapes: it stays the same JSON, on one line. */
export function escapeHidden(json: string): string {
  return json.replaceAll(HIDDEN, (found) =>
    found
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

/** A text cut to so many characters: its beginning, how many are left out, and its end. */
export interface CutText {
  readonly text: string
  readonly isWhole: boolean
}

/** Cuts the middle out of a text that is too long, with a mark that says so. */
export function cutMiddle(text: string, charsMax: number): CutText {
  if (text.length <= charsMax) return { text, isWhole: true }
  const head = text.slice(0, Math.ceil((charsMax * 2) / 3)).toWellFormed()
  const tail = text.slice(-Math.floor(charsMax / 3)).toWellFormed()
  const left = text.length - head.length - tail.length
  return { text: `${head} [… ${left} characters left out …] ${tail}`, isWhole: false }
}
