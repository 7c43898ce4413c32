/**
 * Marks: places that people have named beside the journal, in incidents and forks.
 *
 *   note:TEXT   the position of the one note whose text or address holds TEXT
 *   inc:3       where the range of inc-3 begins; inc:3/A the same, inc:3/B where it ends
 *
 * Of an incident file its own notes and its own range are meant.
 */
import { canonicalId, openIncidents } from '../../actors/incidents.ts'
import type { FindMark } from '../../machines/history/resolve.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { hullOf, type IncidentNote } from '../../protocol/history/incident.ts'
import { quote } from '../../protocol/ids.ts'
import { readFork } from '../../actors/forks.ts'
import type { Source } from './source.ts'

type Place = Pick<Source, 'name' | 'stateDir' | 'bundle'>

/** Looks marks up in the files beside a source. */
export function findMarkIn(source: Place): FindMark {
  return (of, name, position) => {
    switch (of) {
      case 'note':
        return findNote(source, name)
      case 'inc':
        return findIncident(source, name)
      case 'fork':
        return findInFork(source, name, position)
    }
  }
}

function unknownMark({ name: where }: Place, of: string, name: string): GatewayError {
  return new GatewayError('NOT_FOUND', `${where}: no ${of} is called ${quote(name)}`)
}

function findNote(source: Place, name: string): number {
  const wanted = name.toLowerCase()
  const matching = notesOf(source).filter(
    ({ text, address }) => text.toLowerCase().includes(wanted) || address === name,
  )
  const positions = [...new Set(matching.map(({ position }) => position))]
  const [only, second] = positions
  if (only === undefined) throw unknownMark(source, 'note', name)
  if (second === undefined) return only
  const candidates = matching.slice(0, 20).map(({ position, text }) => `#${position} ${text}`)
  const text = `note:${name}: several notes fit: ${candidates.slice(0, 5).map(quote).join(', ')}`
  throw new GatewayError('USAGE', text, { candidates })
}

function notesOf({ bundle, stateDir }: Place): readonly IncidentNote[] {
  if (bundle !== null) return bundle.notes
  return openIncidents(stateDir)
    .list()
    .filter(({ imported }) => imported === null) // Their positions are another journal's.
    .flatMap(({ notes }) => notes)
}

function findIncident(source: Place, name: string): number {
  const [, id = '', end = 'A'] = /^(.*?)(?:\/([AB]))?$/s.exec(name) ?? []
  const range = rangeOf(source, id)
  if (range === null) throw new GatewayError('NOT_FOUND', `inc:${id}: it has no range yet`)
  return end === 'A' ? range.from : range.to
}

function rangeOf({ bundle, stateDir }: Place, id: string): { from: number; to: number } | null {
  const wanted = canonicalId(id)
  if (bundle !== null && bundle.manifest.id === wanted) return bundle.manifest.range
  return hullOf(openIncidents(stateDir).read(wanted))
}

// A position of the branch: the parent's up to the cut, the fork's own behind it.
function findInFork({ stateDir }: Place, name: string, position: number | null): number {
  const { at, records } = readFork(stateDir, name)
  const head = at + records.length
  const asked = position ?? head
  if (asked >= 1 && asked <= head) return asked
  throw new GatewayError('NOT_FOUND', `@${name}#${asked}: this fork has #1 to #${head}`)
}
