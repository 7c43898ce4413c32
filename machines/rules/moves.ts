/**
 * Rooms that have moved: a platform has given a room another id, and it is the same room still.
 *
 * Its conversation keeps the name that it began under; what goes out under that name goes to where
 * the room is now; rules that were written for it hold until there are some for its new id.
 */
import { limits } from '../../protocol/limits.ts'

/** One move. */
export interface Move {
  readonly from: string // id of the room
  readonly room: string // its id since then
}

/** Keeps a move; the oldest one goes where there are too many. */
export function addMove(moves: readonly Move[], { from, room }: Move): readonly Move[] {
  const others = moves.filter((move) => move.from !== from && move.from !== room)
  // Who has moved twice is where it went last.
  const led = others.map((move) => (move.room === from ? { from: move.from, room } : move))
  return [...led, { from, room }].slice(-limits.roomsMovedMax)
}

/** Where a room is now. */
export function placeOf(moves: readonly Move[] | undefined, room: string): string {
  return moves?.find(({ from }) => from === room)?.room ?? room
}

/** The name under which a room was known first. */
export function firstNameOf(moves: readonly Move[] | undefined, room: string): string {
  return moves?.find((move) => move.room === room)?.from ?? room
}
