/**
 * Code identity: what names the code that folds records (K8), by its files and libraries.
 *
 * One definition, for the generator of `dist/code.json`, for the gateway that keeps its own code in
 * the journal, and for whoever reads it back from there.
 */
import { sha256Hex } from './digest.ts'

/** What an identity is computed over. */
export interface CodeParts {
  readonly files: Readonly<Record<string, string>> // path below dist/ -> sha256 in hex
  readonly xstate: string // exact versions
  readonly immer: string
}

/** Lists what a compiled file imports of its own tree, as written: relative, static or not. */
export function importsOf(text: string): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g)
  return [...found].map(([, specifier = '']) => specifier)
}

/** Names code by 16 hex digits; the order of the files does not matter. */
export function codeId({ files, xstate, immer }: CodeParts): string {
  const sorted = Object.fromEntries(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return sha256Hex(JSON.stringify({ files: sorted, xstate, immer })).slice(0, 16)
}
