/** `health`: what the gateway says of itself, and with `probe` what it finds when it looks. Step 4 of 8. */
import { checkUp } from '../checkup.ts'
import { readHealth } from '../health.ts'
import type { Handler } from './house.ts'

/** `{ status, uptime (s), sessions, agents, channels, … }`, with `probe` also `probes`. */
export const health: Handler<'health'> = async (house, { probe }) => {
  const report = readHealth(house)
  return probe === true ? { ...report, probes: await checkUp(house) } : report
}
