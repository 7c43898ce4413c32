/**
 * The bounds of whoever asks the journal: queries, replays, incident files, pictures. A part of
 * `limits.ts`, through which they are read.
 */

export const historyLimits = {
  // History: what is asked of the journal.
  filterTermCharsMax: 700, // A stream name and a key.
  predicateCharsMax: 1_024, // A question of a person; it may come over the wire.
  inFlightRecordsMax: 64, // How far back an actor's open outputs are looked for: about 2 ms; each boot settles older ones.
  whyStepsMax: 1_000, // Causes in one chain; real ones are under 20.
  whyRecordsMax: 10_000, // Records looked at for what came of one.
  whyWriterRecordsMax: 4_096, // Records of one actor stepped for one `why.explain`: about 100 ms.
  proofStatesMax: 256, // States tried for a proof; real actors reach under 10 by themselves.
  timelineRecordsMax: 100_000, // Records of one timeline: 20 MB of text.
  bisectRunMs: 60_000, // One probe of `bisect run`.
  historyPageMax: 500, // Records of one `history.read`: about 300 KB and 10 ms.
  historyReadsMax: 20_000, // Records looked at for one page; a narrow filter takes more calls.
  timeProbesMax: 512, // Looks for a clock that stepped back: about 5 ms on any journal.
  predicateDepthMax: 32, // Parentheses within parentheses.

  // History: replay, forks, exploration.
  replayChunkRecords: 500, // Records that one message takes to other code; also when ended actors go.
  replayActorsMax: 20_000, // States held by a replay; a state is 1 to 20 KB.
  replayDiffsMax: 1_000, // Differences listed; the rest are counted.
  holesListedMax: 1_000, // Compacted ranges listed; the rest are counted.
  codeMessageBytesMax: 64 * 1024 * 1024, // Between us and other code: a fork of 50,000 records.
  codeValuesMax: 8_000_000, // Values of one answer: a fork of 60,000 records has about 5 million.
  codeListMax: 10_000, // Effects, sends or waits of one step; ours make under 10.
  codeNameCharsMax: 1_024, // Names of effects and waits, hashes, identities.
  codeAnswerMs: 20_000, // Other code that says nothing for so long is in a loop.
  codeStepsPerAnswer: 20_000, // Steps that earn one more codeAnswerMs; ours take 2 s under load.
  codeHeapMb: 512, // What other code may take before its process ends.
  codeFilesMax: 2_000, // Files of one code; ours are 50.
  forkRecordsMax: 50_000, // Records of a stretch that a fork runs again: a few seconds.
  forkGrowthMax: 10_000, // Records that a fork may have more than its stretch: it goes in circles.
  forkFileBytesMax: 64 * 1024 * 1024, // A fork of forkRecordsMax records as JSON.
  forksMax: 1_000, // Forks beside one journal.
  exploreBudget: 500, // Crash points by default: seconds on a day's traffic.
  exploreSamplesMax: 20, // Stretches written out of one exploration; a planted bug shows at hundreds.
  exploreRecordsMax: 5_000, // Records of a stretch: each crash point runs the rest of it again.
  // Incident files: what comes from other machines is bounded before it is believed.
  bundleBytesMax: 256 * 1024 * 1024, // A week of a busy home is under 20 MB; more is no incident.
  bundleInflatedBytesMax: 512 * 1024 * 1024, // All frames together, in memory at once.
  bundleFrameBytesMax: 17 * 1024 * 1024, // Inflated: one body of the largest size and its name.
  bundleFrameBytes: 1024 * 1024, // Where a writer begins the next frame.
  bundleFramesMax: 4_096,
  bundleRecordsMax: 200_000, // Ten days of a busy home; a journal is carried whole in other ways.
  bundleBodiesMax: 200_000,
  coveredNameCharsMin: 3, // Shorter names of people are as often syllables.
  coveredNamesMax: 5_000, // Of one file; a pattern of more takes seconds over its texts.
  pseudonymKeyBytes: 32, // Of HMAC-SHA-256; drawn for one file and forgotten.
  bundleNotesMax: 10_000,
  bundleValuesMax: 2_000_000, // Values of one document: about 100 MB of objects at worst.
  bundleDepthMax: 64, // Contexts nest under 10 deep; deeper is an attack on recursion.

  // Incidents: files beside the journal.
  incidentTitleCharsMax: 200,
  incidentNoteCharsMax: 4_096,
  incidentFileBytesMax: 8 * 1024 * 1024, // incident.json: 1,000 notes and room.
  incidentRangesMax: 1_000,

  // Pictures: files that a phone must open.
  pictureRowsMax: 2_000, // Beyond it the oldest are left out, and it says so.
  pictureLanesMax: 60, // Actors in a picture; a screen shows about 20.
  pictureBytesMax: 200_000,
  chartColumnsMax: 100, // Characters: what a terminal beside an editor has.
  pictureGapMs: 30_000, // A longer silence is folded.
} as const
