/*
 * The life of one order, as the code has it, with everything around it that can go wrong: the queue
 * loses, repeats and delays its tasks; workers die, and stand still anywhere for any time; the journal
 * does what it was asked and the answer is lost; the vendor charges for every request it receives.
 * Spin tries every order of events. See README.md; run ./check.
 *
 * One order is enough: the journal never touches two in one change, and the queue only wakes.
 *
 * "mirrors:" names the Go function that a step stands for, as path:Name. A change of state is written
 * move(from, to, operation) and nothing else changes the state. model_test.go holds both to the code.
 *
 * Sizes:          WORKERS, SWEEPERS; TRIES (worker.Policy.MaxAttempts); RESENDS (of the operator)
 * Surroundings:   FAULTS=n (so many in all; without it, any number), NO_OPERATOR, RESEND_UNKNOWN with
 *                 DEDUP (a vendor that ignores a repeated id), REFUSES_REPEAT (one that declines it), DELIVER (events are
 *                 delivered, too), CORRECT (a person corrects final states, rightly or not), STATEMENT (a statement may
 *                 charge an order at any time, rightly or not), SPITE (a vendor that also charges what it calls unmoved),
 *                 RESTORED (the order was bought, and the book restored from before; a statement charges it)
 * Assumptions taken away: LATE_WRITE, LATE_BOOKING, OLD_EVIDENCE, BLIND_RESEND, FORCED
 * Mistakes:       the macros whose names begin with BAD_
 * Properties:     CHECK_once, CHECK_final, CHECK_truth, CHECK_doubt, CHECK_held (assertions); LTL_ends, LTL_delivered
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef TRIES
#define TRIES 1
#endif
#ifndef RESENDS
#define RESENDS 1
#endif
#define LAST (TRIES + RESENDS) /* the highest number an attempt can get */
#define ROOM 5                 /* attempts are counted from 1 */

/* The states of topup/state.go; new stands for "no such order yet". */
mtype:state = { new, queued, submitting, retrying, unknown, succeeded, failed, canceled }

/* The outcomes of topup.Outcome. unmoved stands for unavailable and not_sent, which mean the same: no
 * money moved, and it may be tried again; in attempts also for declined. none: no result is recorded. */
mtype:outcome = { none, approved, declined, unmoved, in_doubt }

/* How far a request is, if there is one: flying (its worker waits), adrift (nobody waits for its answer any more),
 * answered. */
mtype:request = { flying, adrift, answered }

/* --- the journal: one row of orders, its attempts -------------------------------------------- */

mtype:state state = new;
byte n = 0;                    /* attempt_count */
short doubts = 0;              /* unknown_attempts */
bool held = false;             /* held_at: a statement charges it */
mtype:outcome outcome[ROOM];   /* of attempts[i] */
byte nonce[ROOM];              /* whose call of Begin made attempts[i]; 0: that call is over */

/* --- the world ------------------------------------------------------------------------------- */

bool enqueued = false;             /* the queue has a task for the order */
#ifdef RESTORED
byte charged = 1;              /* how often the vendor took money: the truth */
bool lost = true;              /* until restore-check, before which nothing is started */
#define is_new (state == new && !lost)
#else
byte charged = 0;
#define is_new (state == new)
#endif
mtype:request request[ROOM];
mtype:outcome answer[ROOM];
bool gap[ROOM];                /* a worker stands between its last reading of the clock and its write */
byte late = 0;                 /* attempts 1..late are past sendBy */
byte old = 0;                  /* attempts 1..old are past their deadline */
byte resends = 0;
mtype:expiry = { ahead, passed, unset }
mtype:expiry expiry = ahead;         /* expires_at: still ahead, passed, or not set */
#ifdef DEDUP
mtype:outcome remembered = none; /* what the vendor said of this id the first time */
#endif
#ifdef DELIVER
bool owed = false;             /* the event of the final state is pending */
bool eventEnqueued = false;
bool delivered = false;
#endif

#define no_doubt (doubts == 0)
#ifdef BAD_END_IN_DOUBT
#define may_end true
#else
#define may_end no_doubt
#endif
#ifdef BAD_DOUBT_FORGOTTEN
#define may_fail true
#else
#define may_fail no_doubt
#endif

#ifdef BAD_HELD_FORGOTTEN
#define not_held true
#else
#define not_held (!held)
#endif

#define final(s) (s == succeeded || s == failed || s == canceled)
#define waiting (state == queued || state == retrying)

#ifdef FAULTS
byte faults = FAULTS;
#define can_fail (faults > 0)
#define fault faults = faults - 1
#else
#define can_fail true
#define fault skip
#endif

/* --- the properties -------------------------------------------------------------------------- */

#ifdef CHECK_once
#define must_once(x) assert(x)
#else
#define must_once(x) skip
#endif
#ifdef CHECK_final
#define must_final(x) assert(x)
#else
#define must_final(x) skip
#endif
#ifdef CHECK_truth
#define must_truth(x) assert(x)
#else
#define must_truth(x) skip
#endif
#ifdef CHECK_doubt
#define must_doubt(x) assert(x)
#else
#define must_doubt(x) skip
#endif

#ifdef CHECK_held
#define must_held(x) assert(x)
#else
#define must_held(x) skip
#endif

#define in_question(i) (i <= n && outcome[i] == in_doubt)

/* What must be so after every change of the state, and after every charge. */
inline judge() {
	must_truth(!(state == failed || state == canceled) || charged == 0);
	must_truth(state != succeeded || charged > 0);
	/* The column unknown_attempts is what Finish, End and Cancel rely on. */
	must_doubt(final(state) || doubts == (in_question(1) -> 1 : 0) + (in_question(2) -> 1 : 0) + (in_question(3) -> 1 : 0) + (in_question(4) -> 1 : 0))
}

/* The operation is for the reader, and for model_test.go. ./check demands that each is taken.
 * mirrors: internal/journal/event.go:changed */
#ifdef COVER
c_decl {
	static char taken[10000];
	static void took(int line) { if (!taken[line]) { taken[line] = 1; printf("took %d\n", line); } }
}
#define move(from, to, operation) c_code { took(__LINE__); }; step(from, to, by_##operation)
#else
#define move(from, to, operation) step(from, to, by_##operation)
#endif

/* Which operations may change a final state. */
#define by_accept false
#define by_begin false
#define by_finish false
#define by_finish_late false
#define by_end false
#define by_cancel false
#define by_hold false
#define by_resolve false
#define by_correct true
#define by_restore false

inline step(from, to, corrects) {
	must_final(!final(state) || corrects);
	must_held(!held || to == succeeded); /* the operator clears it first */
#ifdef CHECK_from
	assert(state == from);
#endif
	state = to;
	held = false;
	enter()
}

/* A mistake's change of state, which asks nobody. */
inline force(to) {
	must_final(!final(state) || state == to);
	state = to;
	enter()
}

inline enter() {
#ifdef DELIVER
	if
	:: final(state) ->
#ifndef BAD_EVENT_AFTERWARDS
		owed = true
#else
		skip
#endif
	:: else
	fi;
#endif
	judge()
}

inline charge() {
	charged = (charged < 2 -> charged + 1 : 2);
	must_once(charged <= 1);
	judge()
}

/* --- the journal's transactions; each is used within one atomic step ------------------------- */

/* mirrors: internal/journal/attempt.go:Begin, internal/journal/attempt.go:begin */
inline begin(tries, call, won) {
	won = false;
	if
#ifdef BAD_BEGIN_UNCHECKED
	:: n < LAST && !final(state) ->
		force(submitting);
#else
	:: n == tries && waiting && expiry != passed ->
		if
		:: state == queued -> move(queued, submitting, begin)
		:: else -> move(retrying, submitting, begin)
		fi;
#endif
		n++;
		outcome[n] = none;
		nonce[n] = call;
		won = true
	:: else ->
#ifdef BAD_OWN_WITHOUT_NONCE
		won = (n == tries + 1 && state == submitting)
#else
		won = (n == tries + 1 && state == submitting && nonce[n] == call)
#endif
	fi
}

/* The journal never forgets a doubt: an order is not failed while an attempt is in doubt. An approval of any attempt
 * settles an order that is not final.
 * mirrors: internal/journal/attempt.go:Finish, internal/journal/attempt.go:finish, internal/journal/attempt.go:result,
 * internal/journal/attempt.go:evidence, worker/sweep.go:timeOut */
inline finish(k, result, to, was, ours) {
	ours = false;
	if
	:: outcome[k] == none || outcome[k] == in_doubt ->
		was = outcome[k];
		outcome[k] = (result == declined -> unmoved : result);
		recount(result, was);
#ifdef BAD_FINISH_ANY_ATTEMPT
#define latest true
#else
#define latest (n == k)
#endif
		if
#ifdef BAD_FINISH_ANY_STATE
		:: latest && state != to -> ours = true; force(to)
#endif
		:: result == approved && !final(state) ->
			ours = true;
			if
			:: state == submitting && n == k -> move(submitting, succeeded, finish)
			:: state == submitting && n != k -> move(submitting, succeeded, finish_late)
			:: state == unknown && n == k -> move(unknown, succeeded, finish)
			:: state == unknown && n != k -> move(unknown, succeeded, finish_late)
			:: state == retrying -> move(retrying, succeeded, finish_late)
			fi
		:: result != approved && latest && was != in_doubt && state == submitting ->
			ours = true;
			if
			:: to == failed && may_fail -> move(submitting, failed, finish)
			:: to == failed && !(may_fail) -> move(submitting, unknown, finish)
			:: to == retrying -> move(submitting, retrying, finish)
			:: to == unknown -> move(submitting, unknown, finish)
			fi
		:: result != approved && result != in_doubt && latest && was == in_doubt && state == unknown && not_held && (to == retrying || may_fail) ->
			ours = true;
			if
			:: to == failed -> move(unknown, failed, finish)
			:: to == retrying -> move(unknown, retrying, finish)
			fi
		:: else ->
			if
			:: state == unknown && no_doubt && not_held -> ours = true; move(unknown, failed, finish_late)
			:: else -> judge(); ours = (state == unknown && n == k)
			fi
		fi
	:: else /* topup.ErrLost: the attempt has its result */
	fi
}

/* In a final state nobody asks for it any more. */
inline recount(result, was) {
	doubts = (final(state) -> 0 : doubts + (result == in_doubt -> 1 : 0) - (was == in_doubt -> 1 : 0))
}

/* The order's state after a result; what is in doubt is the journal's business.
 * mirrors: worker/policy.go:Decide, worker/policy.go:next, worker/settle.go:decide */
inline decide(k, result, to) {
	if
	:: result == approved -> to = succeeded
	:: result == declined -> to = failed
	:: result == unmoved ->
		if
		:: k < TRIES -> to = retrying
		:: to = failed /* no try is left, or no time */
		fi
	:: result == in_doubt ->
#ifdef RESEND_UNKNOWN
		if
		:: k < TRIES -> to = retrying
		:: to = unknown
		fi
#else
		to = unknown
#endif
	fi
}

/* Its time is over while it waits.
 * mirrors: internal/journal/end.go:End, worker/defer.go:end */
inline end_in_time() {
	if
	:: state == queued -> move(queued, failed, end)
	:: state == retrying && may_end -> move(retrying, failed, end)
	:: state == retrying && !(may_end) -> move(retrying, unknown, end)
	fi
}

/* The call of Begin is over without the attempt: nobody will recognise its nonce. */
inline forget(k) {
	if
	:: nonce[k] == _pid + 1 -> nonce[k] = 0
	:: else
	fi
}

/* A worker has done with its request, or its process is gone: nobody waits for an answer. */
inline leave(k) {
	nonce[k] = 0;
	gap[k] = false;
	if
	:: request[k] == flying -> request[k] = adrift
	:: request[k] == answered -> request[k] = 0; answer[k] = 0
	:: else
	fi
}

/* --- the processes ---------------------------------------------------------------------------- */

/* mirrors: producer/producer.go:Place, internal/journal/accept.go:Accept, internal/queue/enqueue.go:EnqueueOrder */
active proctype Producer() {
	if
	:: atomic { is_new -> move(new, queued, accept) };
		if
		:: enqueued = true
		:: atomic { can_fail -> fault } /* Redis is away, or the process dies here */
		fi
	:: enqueued = true /* a producer that has only Redis: its worker accepts the order */
	fi
}

inline forget_all() {
	k = 0; result = 0; to = 0; yes = false; renewed = false
}

#define or_dies :: atomic { can_fail -> fault; goto died }

active [WORKERS] proctype Worker() {
	byte k = 0;                     /* attempts so far, as read; then the attempt's number */
	mtype:outcome result, was;
	mtype:state to;
	bool yes = false, renewed = false;

	/* At least once: a task may stay in the queue although it is being done, and come again.
	 * mirrors: worker/handle.go:HandlePurchase */
end_idle:
	atomic {
		enqueued ->
		if
		:: enqueued = false
		:: atomic { can_fail -> fault }
		fi
	};

	/* mirrors: worker/process.go:Process, worker/handle.go:acceptTask, worker/handle.go:recordInvalid,
	 * worker/handle.go:refuseTask, internal/journal/accept.go:AcceptInvalid */
	if
	:: atomic { is_new -> move(new, queued, accept); k = 0 }
	:: atomic { is_new -> move(new, failed, accept); goto deliver }
	:: atomic { waiting -> k = n }
	:: state != new && !waiting -> goto end_idle /* final, held, or under way elsewhere */
	or_dies
	fi;

	/* A wait until next_attempt_at is a delay like any other. Begin asks for the order's end as well, so that the
	 * reading the clock and Begin are one step here.
	 * mirrors: worker/defer.go:deferUntil, worker/defer.go:notDue */
deferred:
	if
	:: atomic { expiry == passed && waiting -> end_in_time(); k = 0; goto deliver }
	:: atomic { expiry == passed && !waiting -> k = 0; goto end_idle }

#ifdef BAD_RECORD_AFTERWARDS
	/* The mistake: first the request, then the record of it. */
	:: atomic { charge(); result = approved }
	:: result = declined
	or_dies
	fi;
record:
	if
#endif

	/* mirrors: worker/process.go:attempt, internal/journal/attempt.go:Begin */
	:: atomic {
			!(expiry == passed && waiting) ->
			begin(k, _pid + 1, yes);
			if
			:: yes -> yes = false; k++
			:: else -> k = 0; goto end_idle
			fi
		}
	:: atomic { can_fail && !(expiry == passed && waiting) -> begin(k, _pid + 1, yes); yes = false; fault; goto begin_again } /* done, but the answer is lost */
	or_dies
	fi;
#ifdef BAD_RECORD_AFTERWARDS
	atomic { nonce[k] = 0; goto settle };
#endif

	/* mirrors: distributor/purchase.go:Purchase, distributor/wire.go:begin, distributor/wire.go:onTime, worker/process.go:deadlines */
purchase:
	if
	:: atomic { result = unmoved; leave(k); goto settle }            /* no token, no connection */
#ifndef BAD_NO_SEND_BY
	:: atomic { late >= k -> result = unmoved; leave(k); goto settle } /* errTooLate */
	:: atomic { late < k -> gap[k] = true }
#else
	:: gap[k] = true
#endif
	:: atomic { can_fail -> leave(k); fault; goto died }
	fi;
	/* mirrors: distributor/wire.go:Write, distributor/wire.go:left */
	if
	:: atomic { gap[k] = false; nonce[k] = 0; request[k] = flying }
#ifdef BAD_NOT_SENT_TOO_SOON
	/* The mistake: its caller gives up and calls it not sent; net/http's writer still writes. */
	:: atomic { gap[k] = false; nonce[k] = 0; request[k] = adrift; result = unmoved; goto settle }
#endif
	:: atomic { can_fail -> leave(k); fault; goto died }
	fi;
	/* mirrors: distributor/purchase.go:do, distributor/classify.go:classify */
	if
	:: atomic { request[k] == answered -> result = answer[k]; leave(k) }
	:: atomic { result = in_doubt; leave(k) } /* a timeout, a cut, an answer that settles nothing */
	:: atomic { can_fail -> leave(k); fault; goto died }
	fi;

	/* Until it is written, whatever happens.
	 * mirrors: worker/settle.go:settle */
settle:
	if
	:: atomic {
			decide(k, result, to);
			finish(k, result, to, was, yes);
			was = 0;
			if
			:: yes && final(state) -> forget_all(); goto deliver
			:: yes && state == retrying && result == unmoved && !renewed -> /* LoginAgain: at once, without a new check */
				renewed = true; yes = false; result = 0; to = 0; goto deferred
			:: else -> goto died /* the task is done, or the order has moved on */
			fi
		}
	:: atomic { can_fail -> /* done, but the answer is lost */
			decide(k, result, to);
			finish(k, result, to, was, yes);
			was = 0; yes = false; to = 0;
			fault;
			goto settle
		}
	or_dies
	fi;

	/* The same call of Begin, again. If that fails, too: ErrInDoubt. */
begin_again:
	if
	:: atomic {
			begin(k, _pid + 1, yes);
			if
			:: yes -> yes = false; k++; goto purchase
			:: else -> forget(k + 1); goto died
			fi
		}
	:: atomic { can_fail -> forget(k + 1); fault; goto died }
	fi;

	/* mirrors: worker/settle.go:deliver */
deliver:
#ifdef DELIVER
#ifdef BAD_EVENT_AFTERWARDS
	if
	:: owed = true
	or_dies
	fi;
#endif
	if
	:: eventEnqueued = true
	or_dies
	fi;
#endif

died: /* and starts anew */
	atomic { forget_all(); goto end_idle }
}

#ifndef BAD_NO_SWEEP
/* mirrors: worker/sweep.go:Sweep, worker/sweep.go:sweep */
active [SWEEPERS] proctype Sweeper() {
	byte k = 0;
	mtype:outcome was;
	mtype:state to;
	bool yes = false;

end_sweep:
	do
	/* mirrors: worker/sweep.go:timeOut, internal/journal/due.go:Overdue */
	:: atomic { state == submitting && old >= n -> k = n };
		if
		:: atomic {
#ifdef BAD_SWEEP_REQUEUES
				if
				:: state == submitting && n == k -> force(retrying)
				:: else
				fi
#else
				decide(k, in_doubt, to);
				finish(k, in_doubt, to, was, yes)
#endif
				;k = 0; was = 0; to = 0; yes = false
			}
		:: atomic { can_fail -> fault; k = 0 } /* the sweeper dies, or the journal refuses */
		fi
	/* mirrors: worker/sweep.go:enqueueOrders, worker/sweep.go:enqueueOrder, internal/journal/due.go:Due, internal/queue/enqueue.go:ForceEnqueueOrder */
	:: atomic { waiting && expiry == passed -> end_in_time() }
	:: atomic { waiting && !enqueued -> enqueued = true }
#ifdef DELIVER
	/* mirrors: worker/sweep.go:enqueueEvents, internal/journal/event.go:DueEvents */
	:: atomic { owed && !eventEnqueued -> eventEnqueued = true }
#endif
	od
}
#endif

#ifdef DELIVER
/* At least once: a delivery whose record is lost is made again, under the same id.
 * mirrors: worker/handle.go:HandleDelivery, internal/journal/event.go:RecordTry */
active proctype Deliverer() {
end_deliver:
	do
	:: atomic { eventEnqueued -> eventEnqueued = false };
		if
		:: atomic { owed -> delivered = true };
			if
			:: owed = false
			:: atomic { can_fail -> fault }
			fi
		:: !owed
		:: atomic { can_fail -> fault } /* not delivered, or the process dies */
		fi
	od
}
#endif

/* Each loss is a fault: a task that vanishes, FLUSHALL, a Redis that starts empty. */
active proctype Redis() {
end_redis:
	do
	:: atomic { can_fail && enqueued -> enqueued = false; fault }
#ifdef DELIVER
	:: atomic { can_fail && eventEnqueued -> eventEnqueued = false; fault }
#endif
	od
}

#define on_the_way(i) (request[i] == flying || request[i] == adrift)

/* Charges for every request it receives. What it answers is true; whether the answer arrives is
 * another matter. */
active proctype Vendor() {
	byte i;
	mtype:outcome says;
end_vendor:
	do
	:: atomic {
			if
			:: on_the_way(1) -> i = 1
			:: on_the_way(2) -> i = 2
			:: on_the_way(3) -> i = 3
			:: on_the_way(4) -> i = 4
			fi;
			if
			:: request[i] == adrift /* it never arrived */
#ifdef DEDUP
#ifdef REFUSES_REPEAT
			:: remembered != none -> says = declined
#else
			:: remembered != none -> says = remembered
#endif
			:: remembered == none -> says = approved; remembered = says; charge()
			:: remembered == none -> says = declined; remembered = says
#else
			:: says = approved; charge()
			:: says = declined
#endif
			:: says = unmoved /* 91, 96, 401, 429 */
#ifdef SPITE
			:: says = unmoved; charge()
#endif
			fi;
			if
			:: request[i] == flying -> request[i] = answered; answer[i] = says
			:: else -> request[i] = 0
			fi;
			says = 0;
			i = 0
		}
	od
}

/* Deadlines pass in the order of the attempts. sendBy and the deadline can pass at any moment, but for
 * what README.md names as assumptions: when the deadline passes, no worker stands in the gap, and the
 * vendor has booked what it received. */
#ifdef LATE_WRITE
#define no_writer true
#else
#define no_writer (!gap[old + 1])
#endif
#ifdef LATE_BOOKING
#define booked true
#else
#define booked (!on_the_way(old + 1))
#endif

active proctype Clock() {
end_clock:
	do
	:: atomic { late < n -> late++ }
	:: atomic { old < late && !final(state) && no_writer && booked -> old++ }
	:: atomic { expiry == ahead && !final(state) -> expiry = passed }
#ifdef FAULTS
	:: atomic { expiry == ahead && !final(state) -> expiry = unset } /* or else fairness lets it pass */
#endif
	od
}

/* mirrors: producer/producer.go:Cancel, internal/journal/end.go:Cancel */
active proctype Caller() {
	if
	:: atomic { state == queued && no_doubt -> move(queued, canceled, cancel) }
	:: atomic { state == retrying && no_doubt -> move(retrying, canceled, cancel) }
#ifdef BAD_CANCEL_UNDER_WAY
	:: atomic { state == submitting -> force(canceled) }
#endif
	:: skip
	fi
#ifdef DELIVER
	;if
	:: final(state) -> eventEnqueued = true
	:: skip
	fi
#endif
}

/* No worker can write any more, and the vendor has booked all it received: what an operator who
 * forces a resolution must know. */
#define calm(i) (!on_the_way(i) && nonce[i] == 0 && !gap[i])
#define all_calm (calm(1) && calm(2) && calm(3) && calm(4))
#ifdef FORCED
#define settled_by true
#else
#define settled_by (old >= n || all_calm)
#endif
#ifdef BAD_RESEND_AT_ONCE
#define resend_by true
#else
#define resend_by settled_by
#endif

inline enqueue_event() {
#ifdef DELIVER
	if
	:: eventEnqueued = true
	:: atomic { can_fail -> fault }
	fi
#else
	skip
#endif
}

#ifndef NO_OPERATOR
/* Reads the vendor's books, and says what is there. With OLD_EVIDENCE some time passes between.
 * mirrors: internal/journal/resolve.go:Resolve, internal/journal/resolve.go:resolvable, internal/journal/resolve.go:resolve */
active proctype Operator() {
	bool uncharged = false;
end_operator:
	do
#ifdef OLD_EVIDENCE
	:: atomic { state == unknown && charged == 0 -> uncharged = true }
#define sees_none uncharged
#else
#define sees_none (charged == 0)
#endif
#ifdef BLIND_RESEND
#define guesses_none true
#else
#define guesses_none sees_none
#endif
	:: atomic { state == unknown && charged > 0 -> doubts = 0; move(unknown, succeeded, resolve); enqueue_event() }
	:: atomic { state == unknown && sees_none && settled_by -> doubts = 0; held = false; move(unknown, failed, resolve); enqueue_event() }
	:: atomic { state == unknown && guesses_none && resend_by && expiry != passed && resends < RESENDS ->
			resends++;
			uncharged = false;
			held = false;
			move(unknown, retrying, resolve);
			if
			:: enqueued = true
			:: atomic { can_fail -> fault }
			fi
		}
	od
}
#endif

#ifdef STATEMENT
/* A statement charges an order that waits. Nothing but a person and an approval settles it from then on.
 * mirrors: internal/reconcile/job.go:hold, producer/producer.go:Hold, internal/journal/hold.go:Hold,
 * internal/journal/hold.go:hold */
active proctype Statement() {
end_statement:
	do
	:: atomic { state == queued -> move(queued, unknown, hold); held = true; enqueue_event() }
	:: atomic { state == retrying -> move(retrying, unknown, hold); held = true; enqueue_event() }
	od
}
#endif

#ifdef CORRECT
/* A person, who may err. mirrors: internal/journal/correct.go:Correct, internal/journal/correct.go:correct */
active proctype Corrector() {
	byte corrections = 0;
end_corrector:
	do
	:: atomic { corrections < 2 && state == succeeded -> corrections++; doubts = 0; move(succeeded, failed, correct) }
	:: atomic { corrections < 2 && state == failed -> corrections++; doubts = 0; move(failed, succeeded, correct) }
	:: atomic { corrections < 2 && state == canceled -> corrections++; doubts = 0; move(canceled, succeeded, correct) }
	od
}
#endif

#ifdef RESTORED
/* What a statement charges, and the restored book does not know, is taken for sold: its repeats are answered.
 * mirrors: internal/journal/restore.go:Restore, internal/journal/restore.go:restore, internal/journal/restore.go:claim */
active proctype Restorer() {
#ifdef BAD_NOT_RESTORED
	lost = false
#else
	atomic { n = 1; outcome[1] = in_doubt; move(new, succeeded, restore); lost = false }
#endif
}
#endif

#ifdef LTL_ends
/* Every accepted order ends, or is held. */
ltl ends { [] ((state != new) -> <> (final(state) || state == unknown)) }
#endif
#ifdef LTL_delivered
/* The event of an order that ended is delivered. */
ltl delivered_in_the_end { [] (final(state) -> <> delivered) }
#endif
