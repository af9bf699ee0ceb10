-- The plant's record. One schema for SQLite and PostgreSQL: moments are microseconds since 1970 (UTC), JSON and matrices (base 64) are
-- text.

-- A line, and whose topics it speaks by.
CREATE TABLE line (
    line TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    heard_us BIGINT NOT NULL,
    -- The newest of each, as it came.
    report TEXT,
    slots TEXT
);

-- A line's log, and up to where everything in it is stored here.
CREATE TABLE line_log (
    line TEXT NOT NULL REFERENCES line (line),
    log TEXT NOT NULL,
    file BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (line, log)
);

-- A decision, with what it was made of and what people made of it.
CREATE TABLE coil (
    decision_id TEXT PRIMARY KEY,
    line TEXT NOT NULL REFERENCES line (line),
    coil_id TEXT NOT NULL,
    pass_us BIGINT,
    closed_us BIGINT,
    verdict TEXT NOT NULL,
    by_score TEXT,
    p_nok DOUBLE PRECISION,
    tolerance_class TEXT,
    nominal_g_m2 DOUBLE PRECISION,
    width_mm DOUBLE PRECISION,
    length_m DOUBLE PRECISION,
    -- Its chance of being drawn for review, if it was.
    drawn DOUBLE PRECISION,
    -- Name and fingerprint of the set that judged it.
    bundle TEXT NOT NULL,
    model_set TEXT,
    assessment TEXT NOT NULL,
    matrix TEXT,
    matrix_state TEXT NOT NULL,
    -- What stands of what people said.
    label TEXT,
    label_by TEXT,
    label_us BIGINT
);
CREATE INDEX coil_by_time ON coil (line, closed_us);
CREATE INDEX coil_by_id ON coil (coil_id);
CREATE INDEX coil_by_set ON coil (model_set);
CREATE INDEX coil_labelled ON coil (line, label);

-- A word, in the order of the line's log.
CREATE TABLE word (
    line TEXT NOT NULL REFERENCES line (line),
    word TEXT NOT NULL,
    place BIGINT NOT NULL,
    about TEXT,
    coil_id TEXT NOT NULL,
    label TEXT NOT NULL,
    operator TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    heard_us BIGINT,
    source TEXT NOT NULL,
    known BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    withdraws TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (line, word)
);
CREATE INDEX word_about ON word (about);

-- How the models did, whenever a line said so: the paper's mperformance.
CREATE TABLE mperformance (
    line TEXT NOT NULL REFERENCES line (line),
    at_us BIGINT NOT NULL,
    model_set TEXT NOT NULL,
    judge TEXT NOT NULL,
    tolerance_class TEXT NOT NULL,
    span TEXT NOT NULL,
    coils BIGINT NOT NULL,
    labelled BIGINT NOT NULL,
    score DOUBLE PRECISION,
    low DOUBLE PRECISION,
    high DOUBLE PRECISION,
    balanced_accuracy DOUBLE PRECISION,
    mcc DOUBLE PRECISION,
    PRIMARY KEY (line, at_us, model_set, judge, tolerance_class, span)
);

-- What asked for new models.
CREATE TABLE model_trigger (
    line TEXT NOT NULL REFERENCES line (line),
    at_us BIGINT NOT NULL,
    rule TEXT NOT NULL,
    judge TEXT NOT NULL,
    model_set TEXT NOT NULL,
    holds BIGINT NOT NULL,
    what TEXT NOT NULL,
    to_do TEXT NOT NULL,
    PRIMARY KEY (line, at_us, rule, judge)
);

-- What was done about it.
CREATE TABLE retraining (
    id TEXT PRIMARY KEY,
    line TEXT NOT NULL REFERENCES line (line),
    begun_us BIGINT NOT NULL,
    ended_us BIGINT,
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- The set that judged, and the candidate's bundle.
    model_set TEXT,
    candidate TEXT,
    report TEXT
);
CREATE INDEX retraining_by_line ON retraining (line, begun_us);

-- What happened, in words. The name is made of all the rest: the same is told once.
CREATE TABLE event (
    id TEXT PRIMARY KEY,
    line TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX event_by_time ON event (line, at_us);
CREATE INDEX event_about ON event (about);
