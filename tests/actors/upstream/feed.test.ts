/** The feed: what upstream's clients are told of a record, and that telling cannot stop the house. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { Feed } from '../../../actors/upstream/feed.ts'
import type { JournalRecord } from '../../../protocol/record.ts'
import { cases } from '../../store/cases.ts'
import { openTestServices } from '../../support/services.ts'

const feeds = cases('upstream feed')

feeds('UF1 a teller that breaks costs its own notice and a line, not those behind it', () => {
  const services = openTestServices()
  const feed = new Feed(services)
  const told: string[] = []
  feed.add({
    connectionId: 'c',
    hears: () => true,
    follows: () => true,
    toolEvents: 'none',
    approves: () => false,
    tell: (event) => void told.push(event),
  })
  feed.teach(() => {
    throw new Error('the text is damaged')
  })
  feed.teach((_record, self) => self.announce('tick', {}))
  const record = { kind: 'event', ignored: null, position: 7 } as unknown as JournalRecord

  feed.committed(record)
  feed.follow(record, () => {
    throw new Error('again')
  })

  assert.equal(told, ['tick'])
  assert.equal(
    services.lines.map(({ level }) => level),
    ['error', 'error'],
  )
})

feeds.run()
