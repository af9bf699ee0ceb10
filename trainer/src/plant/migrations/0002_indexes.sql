-- What is looked up by a set's fingerprint or a coil's id: histories, and a plant's own tools.
CREATE INDEX word_by_coil ON word (coil_id);
CREATE INDEX mperformance_by_set ON mperformance (model_set, at_us);
CREATE INDEX model_trigger_by_set ON model_trigger (model_set, at_us);
CREATE INDEX retraining_by_set ON retraining (model_set);
CREATE INDEX retraining_by_candidate ON retraining (candidate);
