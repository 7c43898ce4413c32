/** `Retry-After` of HTTP: seconds, or a date. */
import * as assert from 'uvu/assert'
import { parseRetryAfter } from '../../protocol/retry-after.ts'
import { cases } from '../store/cases.ts'

const retry = cases('retry after')
const NOW = Date.parse('2026-01-01T00:00:00Z')

retry('M20 it is seconds or a date; what is neither says nothing', () => {
  for (const [value, expected] of [
    ['3', 3_000],
    [' 0 ', 0],
    ['1.5', 1_500],
    ['Thu, 01 Jan 2026 00:01:30 GMT', 90_000],
    ['Thursday, 01-Jan-26 00:01:30 GMT', 90_000],
    ['Thu Jan  1 00:01:30 2026 GMT', 90_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', null],
    ['-1', null],
    ['1e3', null],
    ['2026', 2_026_000],
    ['Thu, 99 Foo 2026', null],
    ['', null],
    [undefined, null],
    [['3'], null],
  ] as const) {
    assert.is(parseRetryAfter(value, NOW), expected, String(value))
  }
})

retry.run()
