/**
 * Every bound of the gateway, with its unit in the name and its reason beside it.
 *
 * A bound that is not here does not exist: code reads these, tests cross them.
 */
import { approvalLimits } from './limits-approvals.ts'
import { channelLimits } from './limits-channels.ts'
import { historyLimits } from './limits-history.ts'

export const limits = {
  // Frames.
  preAuthFrameBytesMax: 64 * 1024, // A connect frame is under 4 KiB; strangers get no more (S11).
  frameBytesMax: 25 * 1024 * 1024, // Upstream's maxPayload: clients size their uploads by it.
  frameDepthMax: 64, // Real params nest under 10 deep; deeper is an attack on recursion (S21).
  frameKeysMax: 20_000, // Commas and brackets: bounds the time of one parse-and-walk to about 50 ms.
  preAuthFrameKeysMax: 1_000, // A connect has under 100; a stranger costs everybody under 2 ms.
  connectionBufferBytesMax: 8 * 1024 * 1024, // A slow reader costs at most this much memory.
  connectDeadlineMs: 10_000, // decisions.md 16.
  tickIntervalMs: 30_000, // The specification.
  outstandingRequestsMax: 64, // Per connection; more is a retryable UNAVAILABLE before any effect.
  connectionsMax: 5_000, // 40 KiB each is 200 MiB, what a small home server can give.
  connectionsPreAuthMax: 256, // Half-open strangers cannot use up the table.
  connectionsReserved: 32, // Above connectionsMax, for owners' devices that have no socket yet.
  connectionsPerAddressMax: 512, // Of one remote address; a household behind one is under 50.
  preAuthPerAddressMax: 32, // Strangers of one remote address; a browser opens under 10.
  preAuthRemoteMax: 192, // Of connectionsPreAuthMax; what is left belongs to this machine.
  preAuthLoopbackMax: 224, // And the other way round: a runaway script leaves room for a phone.
  rawPerAddressMax: 128, // TCP without a request, a remote address.
  rawLoopbackMax: 1_024, // The same for this machine: a storm of its own clients.
  turnstileBurst: 8, // Upgrades that need not wait for their turn: a household that comes back.
  turnstilePerSecond: 200, // Behind them: a storm of 1,000 takes 5 s, and most of our time is left.
  turnstileMax: 1_024, // Upgrades that wait; more are told to come again.
  headerDeadlineMs: 10_000, // A request's head is one packet; a drip is an attack (S09).
  headerBytesMax: 16 * 1024, // Node's own default, said here because S49 crosses it.
  halfFrameMs: 30_000, // A frame or message that stands still for so long is given up (S10).
  halfFrameProgressBytes: 64 * 1024, // What must come in halfFrameMs after connect: 2 KiB a second.
  halfFrameLookMs: 4_000, // How often connections are looked at for that.
  controlFramesBurst: 32, // Pings and pongs at once; clients send one in 15 s, ws itself cuts at 60 (S17).
  controlFramesPerSecond: 8,
  fragmentsMax: 16_384, // Of one message: 25 MiB in pieces of 1,600 bytes (S13).
  closeGraceMs: 2_000, // From our close frame to the end of the link, read or not.
  requestsBurst: 4_000, // Requests of one connection at once (S40).
  requestsPerSecond: 1_000, // Over a minute; the whole gateway commits about 4,000 a second.
  requestsRefusedMax: 20_000, // Refused in a row: who does not listen to retryAfterMs is cut off.
  controlWritesMax: 30, // Upstream: control-plane writes of one device and method (S39).
  controlWritesWindowMs: 60_000,
  controlWritersMax: 1_000, // Devices and methods remembered; the oldest go first.
  resumeRecordsMax: 50_000, // About a second of reading; a client further behind must refetch.

  // Who may come in.
  challengeMs: 60_000, // A nonce is signed by a program, at once; a slow link gets a minute.
  challengesPerConnectionMax: 4, // The one on opening, and three answers that ask for a signature.
  expelGraceMs: 500, // A revoked device's socket is gone within a second, polite or not.
  signatureSkewMs: 60_000, // How far a device's clock may be off, where it signs its own time.
  scopesShownMax: 8, // Of those a device asked for in vain, recorded and said.
  pairingMs: 600_000, // A request waits this long for a person; its code lives as long.
  pairingCodeTriesMax: 5, // Wrong codes typed while a code is alive; then it is burned.
  pairingCodeCharsMax: 12, // As typed, dashes and spaces included; request ids have 36.
  pairingRejectedMs: 3_600_000, // A rejected device may ask again after an hour.
  pairingWaitingMax: 32, // Requests waiting for a person: a list that can still be read.
  pairingWaitingPerAddressMax: 3, // A house behind one address pairs this many devices at a time.
  pairingRequestsPerAddressHour: 20, // New requests, about 1 KB of journal each.
  pairingRequestsPerHour: 120, // All addresses together: strangers add at most 3 MB a day.
  setupCodesMax: 16, // One-time codes on somebody's screen at a time.
  deviceIdShownChars: 16, // Of a fingerprint, where it is only to be recognised.
  devicesListMax: 1_000, // Rows of `device.list`; a house has under 50.
  authFailuresMax: 10, // Upstream's: wrong credentials of one address and class in a window.
  authFailuresGlobalMax: 200, // Of all addresses together: guessing from many places.
  authWindowMs: 60_000, // Upstream's.
  authLockMs: 300_000, // Upstream's.
  authGlobalLockMs: 60_000, // Short: it shuts out the innocent too. Paired devices are not asked.
  authLoopbackLockMs: 5_000, // Loopback is slowed, not shut out: 12 guesses a minute (S27).
  authTrackedMax: 10_000, // Addresses remembered, about 2 MB; the least recently failed go first.
  authSavedMax: 1_000, // Of these, the newest that outlive a restart: a file under 200 KB.
  authSaveDelayMs: 1_000, // Failures in this time share one write.
  scryptCostLog2: 15, // N = 2^15: 32 MiB and about 80 ms for one guess.
  scryptCostLog2Min: 14,
  scryptCostLog2Max: 17, // 128 MiB for each of `passwordChecksMax`.
  scryptBlockSize: 8, // RFC 7914, 2.
  scryptParallel: 1,
  scryptParallelMax: 4,
  passwordChecksMax: 2, // At a time: half of Node's pool stays free for files.
  passwordChecksWaitingMax: 16, // More is answered UNAVAILABLE at once.

  // Names and texts.
  sessionKeyBytesMax: 512,
  idempotencyKeyCharsMax: 128,
  usageDaysMax: 366, // A year of one report.
  usagePointsMax: 200, // Of a curve; upstream's.
  usageRecordsMax: 200_000, // Looked through for it, about 6 s in slices; older days then count nothing.
  nodeCallMsDefault: 30_000, // Upstream's: how long a node may take for one command.
  nodeCallMsMax: 600_000, // A build or a download on a node.
  nodeAnswerBytesMax: 8 * 1024 * 1024, // A photograph as base64; a body holds twice as much.
  completionsMax: 64, // Requests of the OpenAI-compatible door in hand.
  completionBytesMax: 2 * 1024 * 1024, // One such request: a message and its context.
  pageBytesMax: 16 * 1024 * 1024, // One file of a web client; the largest of upstream's has 5 MB.
  commandsShownMax: 128, // Of one node in the list of environments; upstream's.
  sessionsPatchedMax: 100, // In one request; upstream's.
  upgradeRecordsMax: 64, // The newest of a device, among which the end of its wish for more is looked for.
  cronJobsMax: 256, // Looked at for one list: a household has under 20.
  cronEveryMsMin: 10_000, // Each run asks a model; what must be faster is no job.
  cronEveryMsMax: 366 * 24 * 3_600_000,
  cronMissedMsMax: 24 * 3_600_000, // A repeating job that was missed longer ago waits for its next time.
  cronPastMsMax: 60_000, // A time for once that is so long ago was meant for now.
  cronRunsPageMax: 200, // Upstream's.
  cronRunsPageDefault: 50, // Upstream's.
  cronRunRecordsMax: 4_000, // Of one job, read back for a page of its runs: about 20 ms.
  cronListMax: 200, // Upstream's: jobs of one page.
  cronNameCharsMax: 200, // Upstream's.
  healthEveryMs: 60_000, // Upstream's: a picture of how we are, to whoever listens.
  upstreamDeltaEveryMs: 100, // Each piece carries the whole text: ten a second read as live.
  followedSessionsMax: 256, // Of one connection by name; who wants more follows all.
  recentSessionsShown: 5, // In a report; lists have sessions.list.
  presenceEntriesMax: 200, // Upstream's; a household has under 20.
  upstreamScopesMax: 64, // Upstream has 10; those of newer clients are read and dropped.
  upstreamCapsMax: 64, // What a client says it can show; upstream has 20.
  upstreamCommandsMax: 256, // A node offers 21 today, a phone 40.
  idCharsMax: 128, // Device ids, run ids, message ids of platforms.
  contextTextCharsMax: 64, // K1: longer free text belongs in a body.
  messageBytesMax: 1024 * 1024, // One message; a value of 1 MiB commits in about 6 ms.
  correlationIdBytes: 16, // A W3C trace id.

  // The journal.
  recordBytesMax: 1024 * 1024, // One record; anything larger is a body.
  bodyBytesMax: 16 * 1024 * 1024, // LMDB takes 75 ms for it.
  commitOperationsMax: 500, // lmdb-js misbehaves above 1,000 operations in one turn (D-R9).
  commitBytesMax: 4 * 1024 * 1024, // A larger draft commits alone; acknowledgements stay near 20 ms.
  compactRecordsPerCommit: 400, // Leaves room for appends beside it in the same commit.
  streamNameBytesMax: 640, // A kind and a session key; LMDB keys end at 1,978 bytes.
  indexTailRecordsMax: 4_096, // Positions kept in memory per journal before they go to runs.
  indexRunPositionsMax: 256, // One run is decoded for each look-up: about 5 us.
  runsCachedMax: 256, // Decoded runs kept, one of each stream: at most 0.5 MB.
  listTextsKept: 128, // Histories whose entries keep their texts from step to step: 20 MB at most.
  streamsCachedMax: 4_096, // Stream names and versions kept in memory: about 1 MB.
  snapshotEveryRecords: 128, // At most so many steps to wake an actor or to see it at any moment.
  verifyTailRecords: 4_096, // Checked by the child before opening: about 60 ms.
  checkpointEveryRecords: 4_096, // Boot folds at most this many records over the checkpoint.
  anchorIntervalMs: 5_000, // How old the sidecar's knowledge of the head may be.
  readTransactionRecordsMax: 1_000, // Readers renew after this many: long readers pin pages (D-R12).
  spaceRefuseBytes: 256 * 1024 * 1024, // Below this much free disk new work is refused (D-R4).
  spaceStopBytes: 64 * 1024 * 1024, // Below this much nothing at all is appended.
  budgetWarnShare: 0.8, // Of store.maxBytes: from here on it is said.
  budgetRefuseShare: 0.95, // From here on new work is refused: room for work in hand is left.
  budgetBytesMin: 16 * 1024 * 1024, // A journal with a day in it; less would refuse at once.
  spaceCheckIntervalMs: 1_000, // statfs is cheap but not free.
  readersLookMs: 60_000, // A dead reader costs growth for so long; a living one that stays is named.
  storeLockMs: 10_000, // A commit takes 2 s on a slow SD card; whoever holds the lock longer hangs.
  storeOpenTimeoutMs: 60_000, // The verifying child is killed after this; 1 M records take 14 s.
  verifyFaultsMax: 20, // Faults listed in one report; a damaged page gives dozens.
  checkpointsKept: 2, // Of each name: the newest, and one to fall back to.
  epochsKept: 8, // Claims of past writers kept for people to see.
  inodeCheckIntervalMs: 60_000, // A replaced data file swallows appends for at most this long (D-R8).

  // Backups: what comes from another disk is bounded before it is believed.
  backupFilesMax: 10_000, // Incidents have a few files each; a home has tens.
  backupManifestBytesMax: 4 * 1024 * 1024, // 10,000 files of 300 characters.
  backupSideFileBytesMax: 256 * 1024 * 1024, // Any file but the journal: the largest incident file.
  backupStaleMs: 7 * 24 * 3_600_000, // `doctor` and alerts ask for a newer one after a week.
  backupWordCharsMax: 128, // Versions and identities.
  backupVerifyMs: 3_600_000, // Nobody waits for a start here: 1 M records take 14 s and more.
  restoreSettleMs: 30_000, // Open work of a backup settles in about a second; then it is left open.
  restoreKeysPerRecord: 1_000, // About 250 bytes each: a quarter of the largest record.

  // Proof of history.
  checkpointCharsMax: 4_096, // A signed head has about 250; ten witnesses may add their lines.
  headEveryRecords: 256, // How many records may follow the newest signed head under load.
  headIntervalMs: 600_000, // How long a quiet journal's last records go unsigned (0.07 ms a head).
  treeTileLevel: 8, // A tile stands for 2^8 leaves, the next kind for 2^16: 1/256 of 37 bytes each.
  eraseRefsPerCommit: 200, // Small tombstones: appends go on beside them.
  eraseSliceRecords: 500, // Looked at in one turn, about 10 ms, while other work goes on.
  retentionFirstMs: 300_000, // After a start: what was open has settled, and people have looked.
  retentionEveryMs: 24 * 3_600_000, // Ages are counted in days.
  archiveRecordsMax: 1_024, // Of one archive file: cut, written and read back in one turn of about 100 ms.
  archiveFilesMax: 10_000, // Looked at by `doctor`, and named by one record: 10 M records.
  eraseReasonCharsMax: 64, // K1: a reason is a fact of its record.
  codeBytesMax: 8 * 1024 * 1024, // A compiled closure, unpacked; ours has 0.3 MB.

  // Actors.
  mailboxMax: 1_000, // Messages waiting for one actor; beyond it callers get UNAVAILABLE.
  actorBatchMax: 64, // Messages of one actor that share a commit.
  actorIdleMs: 60_000, // An actor without work is put to sleep after this.
  actorsAwakeMax: 2_000, // About 10 MB of started actors; beyond it all that rest are put to sleep.
  actorRetriesMax: 3, // A message that makes its actor throw this often quarantines the stream.
  actorBackoffMs: 100, // First wait after a fault; doubles with each.
  timerSleepMsMax: 2 ** 31 - 1, // Node fires longer timers at once.

  // Sessions and runs.
  sessionMessagesMax: 400, // Default of session.maxMessages.
  sessionQueueMax: 20, // Upstream's cap; default of messages.queue.cap.
  queueCapMax: 200, // Of messages.queue.cap: what one session's record can hold (about 60 KiB).
  queueDebounceMs: 500, // Upstream's; default of messages.queue.debounceMs.
  queueDebounceMsMax: 60_000, // Longer, and people think that nobody listens.
  mergedMessagesMax: 50, // Older messages that one run answers beside its own.
  briefChars: 160, // Of a message that had to make room: what the model still reads of it.
  deliveryTtlMs: 4 * 3_600_000, // An answer that comes later is told as not sent, not sent.
  deliveryTtlMsMax: 31 * 86_400_000, // Of messages.delivery.ttlMinutes.
  phraseTtlMs: 600_000, // What the gateway itself says is about now.
  deliveryListMax: 1_000, // Of one answer: 300 KiB.
  deliveryExcerptChars: 200, // Of each text in a list.
  openDeliveriesMax: 10_000, // Kept for lists; of those that wait for a person the oldest go.
  phraseCharsMax: 400, // What the gateway itself says in a channel: one IRC line.
  sessionGenerationsMax: 1_000, // Earlier session ids of one key that can be asked for: 2 ms.
  transcriptPageMax: 1_000, // Upstream's: messages of one page.
  transcriptPageDefault: 200, // Upstream's.
  cursorCharsMax: 32, // `nextBefore`: three numbers.
  transcriptCharsMax: 4 * 1024 * 1024, // Texts of one page, the last one whole: an answer stays sendable.
  transcriptSliceRecords: 250, // Read in one turn, about 5 ms, while other work goes on.
  runWaitersMax: 1_000, // Who wait for ends of runs, about 1 KB each.
  runWaitMsDefault: 30_000, // Upstream's.
  runWaitMsMax: 3_600_000, // A client that wants to know later asks again.
  runEndRecordsMax: 32, // Of a run, read back for its end; real ones have under 12.
  sessionPreviewsMax: 64, // Sessions of one sessions.preview; clients ask for a screenful.
  sessionListMax: 1_000, // Rows of one page, about 200 KB; without a limit all are told.
  sessionSearchCharsMax: 128,
  runAttemptsMax: 4, // Model calls of one run, the first included.
  compactKeepShare: 0.3, // Of the bound: what stays word for word behind a summary.
  compactEntriesMin: 2, // A question and its answer: a summary of less says nothing shorter.
  compactEveryMs: 60_000, // Summaries that a session asks for by itself: it never loops.
  compactAttemptsMax: 3, // Of one model; a run waits meanwhile.
  compactWaitMs: 600_000, // Of sessions.compact: a summary that takes longer is not waited for.
  compactCallsMax: 8, // Of one summary, over all models.
  compactTextBytesMax: 512 * 1024, // Of the texts of one summary: about 130,000 tokens.
  compactThreshold: 0.8, // Default of session.compactThreshold: of the model's window.
  contextTokensDefault: 128_000, // Of a model whose window nobody has told: the least of today's hosted ones.
  entryBytesUnknown: 1_000, // What an entry of before is taken for: a long message.
  rangeHashChars: 20, // 80 bits: names a range, proves nothing to strangers.
  pruneResultCharsMax: 4_000, // Upstream's: longer results of tools are cut.
  pruneResultCharsKept: 1_500, // Of its beginning, and as many of its end.
  pruneTurnsKept: 3, // The last answers keep their results whole.
  toolCallMs: 120_000, // Of one call; upstream's exec is given as long by most models.
  callIdBytes: 12, // Random ones: a call's id is its stream's for ever.
  toolCallsMax: 32, // Of one answer; models ask for under 10 at a time.
  toolsMax: 128, // Registered at a time, of all sources: OpenAI's bound on one request.
  toolNameCharsMax: 64, // OpenAI's grammar of names, and K1.
  toolTextCharsMax: 4_096, // Of a description: a model reads it with every prompt.
  toolSchemaBytesMax: 32 * 1024, // Of its parameters, for the same reason.
  toolResultCharsMax: 64_000, // Of a result: about 16,000 tokens; what is longer is cut with a mark.
  toolArgumentsBytesMax: 256 * 1024, // A file to be written is one argument.
  toolFileBytesMax: 256 * 1024, // Read of one file at a time; `offset` reads on.
  fetchBytesMax: 2 * 1024 * 1024, // Of a page as it comes; its text is a tenth of it.
  fetchMs: 30_000, // From name to last byte, redirects included.
  fetchRedirectsMax: 5, // Browsers follow 20; a page that is meant takes under 4.
  execOutputBytesMax: 128 * 1024, // Kept of a command's output: its beginning, then no more is kept.
  mcpOpenMs: 30_000, // A server that is started may have to install itself first.
  toolListMax: 50, // Sessions and messages of one answer.
  runCallsMax: 50, // Model calls of one run: what a loop of tools costs at most, where nothing else is said.
  usageQuarterMs: 900_000, // Every time zone begins its day on a quarter of an hour.
  usageQuartersMax: 400, // Of four days: more than any day that is asked for.
  modelFallbacksMax: 8, // Each adds up to runAttemptsMax calls to a run that fails.
  failureNoticeEveryMs: 60_000, // Two bots that fail at each other say so once a minute.
  runBackoffMs: 1_000, // Doubles: 1, 2, 4 s, plus jitter of up to a half.
  runBackoffMsMax: 60_000, // Also the most that a Retry-After may make us wait.
  modelIdleMs: 120_000, // Upstream's idle limit: no byte for so long is a cut stream.
  modelTextBytesMax: 1024 * 1024, // An answer is one body.
  modelStreamBytesMax: 64 * 1024 * 1024, // On the wire: each few characters come in 250 bytes of JSON.
  modelFaultCharsMax: 300, // What a server says of an error, kept for people.
  modelToolNameCharsMax: 64, // OpenAI's bound on a function's name; Anthropic's is 128.
  echoPiecesMax: 256, // Deltas of one echo: enough to see it stream.

  // Deliveries and channels.
  deliveryAttemptsMax: 5, // Upstream's limit before a dead letter.
  deliveryBackoffMs: 5_000, // Upstream's first wait; times five each: 5 s, 25 s, 2 min, 10 min.
  deliveryBackoffMsMax: 600_000,
  deliveryOrderMs: 1_200_000, // Longer than all attempts of the one before: 13 min and their waits.
  channelBackoffMs: 1_000, // Reconnection: 1, 2, 4 ... s, plus jitter.
  channelBackoffMsMax: 60_000, // A home line that comes back is noticed within a minute.
  channelOpenMs: 30_000, // Dial, TLS and registration.
  channelSilentMs: 180_000, // Two pings and their answers were missed: connected is not believed.
  senderCodeMs: 3_600_000, // Upstream: a code holds an hour.
  sendersPendingMax: 3, // Upstream: of one account at a time.
  sendersApprovedMax: 500, // People of one account, 20 KB of context at most.
  sendersRejectedMax: 16, // Remembered until their hour is over.
  codeMissesMax: 5, // Wrong codes in codeLockMs, then none is looked at: 40 bits are not guessed.
  codeLockMs: 600_000,
  codesHeldMax: 64, // Codes of one channel in memory, until they are told.
  roomsMovedMax: 100, // Rooms of one channel that have another id now: 5 KB of context.
  tokenFileBytesMax: 1_024, // A bot's token has some 50.
  inboundDedupeMax: 5_000, // Message ids remembered per channel account, as upstream.

  // Alerts.
  alertAttemptsMax: 5, // As a delivery: 5 s, 25 s, 2 min, 10 min; then it is given up.
  alertBackoffMs: 5_000,
  alertBackoffMsMax: 600_000,
  alertsWaitingMax: 16, // For a webhook that does not answer; more says nothing new.
  alertCooldownMs: 3_600_000, // Upstream's hour: the same trouble is told once in it.
  alertChannelDeadMs: 600_000, // Reconnection takes a minute; ten are an outage.
  alertCrashQuietMs: 600_000, // So long after a crash the gateway counts as recovered.
  alertDiskBytes: 1024 * 1024 * 1024, // Four times what refuses new work: time to act.
  webhookMs: 10_000, // From name to answer.

  // Keys that must not be forgotten.
  idempotencyRetentionMs: 7 * 24 * 3_600_000,
  idempotencyKeysMax: 100_000, // About 20 MB in memory; the oldest go first beyond it.

  // Refusals before a connection exists.
  refusalsLoggedBurst: 64, // Lines of requests refused at the door, then one a second.
  refusalsTrackedMax: 1_000, // Addresses whose refusals are counted at a time.
  refusalsRecordedPerHourMax: 60, // Coalesced records of refusals, all addresses together.

  // What waits for a person's word.
  ...approvalLimits,

  // Channels and their platforms.
  ...channelLimits,

  // History, replay, incident files and pictures.
  ...historyLimits,

  // The process.
  tailscaleMs: 10_000, // One call of the `tailscale` command; it talks to its daemon.
  mdnsTtlS: 120, // RFC 6762, 10: of records that name a host; seconds, as DNS counts.
  mdnsAnswersPerSecond: 10, // A network browses in bursts of two or three.
  tlsLookMs: 60_000, // How often a certificate's file is looked at; it is renewed weeks before.
  heartbeatMs: 5_000, // A look at the clocks and at what troubles us: 0.1 ms of work.
  sleptMsMin: 10_000, // A wall clock ahead by more has been set, or the host has slept; NTP slews less.
  probeMs: 2_000, // Each part of `health --probe`: a healthy one answers in 50 ms.
  crashLoopBoots: 3, // So many crashes in crashLoopMs are no accident: channels are held.
  crashLoopMs: 300_000,
  holdMs: 600_000, // Quiet for so long, the gateway tries its channels again.
  watchdogMs: 30_000, // systemd restarts a gateway that says nothing for so long.
  watchdogFeeds: 3, // Signs of life in that time: one may come late, one may get lost.
  commitHangMs: 20_000, // A commit that takes longer hangs (F12); a slow SD card needs 2 s.
  unitMemoryHighMib: 512, // Beyond it systemd slows the gateway down: a leak, not work.
  systemctlMs: 60_000, // systemctl waits for a start, which verifies the journal.
  restartWaitMs: 60_000, // `gateway restart` waits this long until it is ready again.
  shutdownMs: 1_000, // decisions.md 16.
  crashGraceMs: 2_000, // From an uncaught fault to SIGKILL (D-R10).
  daemonReadyMs: 30_000, // The parent of --daemon waits this long for its child.
  lockAnswerMs: 1_000, // Who holds the lock answers from memory; a stalled one is told apart.
  lockRetryMs: 20, // Between two tries at a holder that hung up without a word.
  lockClientsMax: 64, // Askers at a time; the rest are let go at once.
  signalRepeatMs: 300, // A terminal and npm both pass on one Ctrl-C; a person's second comes later.
  stopWaitMs: 5_000, // `gateway stop`: the graceful second, the crash grace, and room.
  stopLookMs: 20, // How often `gateway stop` looks whether it is gone.
  clientBackoffMs: 1_000, // The library comes back: 1, 2, 4 ... s, with jitter.
  clientBackoffMsMax: 30_000,
  verbRequestMs: 30_000, // A verb waits this long for one answer; probes dial out.
  verbDeliveryMs: 10_000, // `send` watches for an outcome this long; the gateway goes on.
  doctorSampleStreams: 20, // Whose snapshots `doctor` folds anew.
  doctorSampleRecords: 20_000, // Records it folds for that at most: about a second.
  doctorClockMs: 60_000, // A clock that stands so far behind the newest record has stepped back.
  verbProbeMs: 3_000, // `doctor` and `status` give each door this long.
  logFollowMs: 250, // How often `logs --follow` looks: reads as live to a person.
  logTailMax: 5_000, // Upstream's bounds of one look at the log.
  logTailBytesMax: 1_000_000,
  logTailDefault: 200, // Upstream's.
  logFileBytesMax: 10 * 1024 * 1024, // Per file, five files: what support needs, not what fills a disk.
  logFilesMax: 5,
  logRepeatMs: 10_000, // The same line within this time is a repetition.
  logRepeatsMax: 5, // So many of them are written; the rest are counted in one line.
  logRepeatsTracked: 256, // Different lines whose repetitions are counted at a time.
  logLineCharsMax: 4_096,
  logFieldCharsMax: 256, // One field: a User-Agent of 15 KB is an attack on whoever reads it (S46).
  configBytesMax: 1024 * 1024,
  configVersionsMax: 20, // Past configurations: weeks of changes, 20 small files.
  configLookMs: 2_000, // How often the file is looked at for an edit by hand.
  configPathCharsMax: 1_024, // A path into the configuration; upstream's bound.
  configPathsShownMax: 100, // Changed paths in one answer.
  configDelayMsMax: 3_600_000, // A restart may be put off for an hour.
  configDelayMsDefault: 2_000, // Upstream's: answers leave before the socket does.
  configDepthMax: 32, // Ours nests 6 deep; parts that only upstream reads may go deeper.
} as const
