-- A decision's name is its line's: no line can take another's place in the record by naming a decision as that one will. SQLite cannot
-- change a key, so the table is written anew, once.
CREATE TABLE coil_of_line (
    line TEXT NOT NULL REFERENCES line (line),
    decision_id TEXT NOT NULL,
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
    label_us BIGINT,
    PRIMARY KEY (line, decision_id)
);
INSERT INTO coil_of_line (line, decision_id, coil_id, pass_us, closed_us, verdict, by_score, p_nok, tolerance_class, nominal_g_m2,
    width_mm, length_m, drawn, bundle, model_set, assessment, matrix, matrix_state, label, label_by, label_us)
SELECT line, decision_id, coil_id, pass_us, closed_us, verdict, by_score, p_nok, tolerance_class, nominal_g_m2,
    width_mm, length_m, drawn, bundle, model_set, assessment, matrix, matrix_state, label, label_by, label_us FROM coil;
DROP TABLE coil;
ALTER TABLE coil_of_line RENAME TO coil;
CREATE INDEX coil_by_time ON coil (line, closed_us);
CREATE INDEX coil_by_id ON coil (coil_id);
CREATE INDEX coil_by_set ON coil (model_set);
CREATE INDEX coil_labelled ON coil (line, label);
