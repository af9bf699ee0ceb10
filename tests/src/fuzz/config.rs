//! The agent's configuration: a file that people write.

use coilsight_agent::config::{Loaded, Settings};
use coilsight_agent::say::chain;
use std::collections::BTreeSet;

/// What is taken makes sense and tells the origin of every setting; what is refused says why.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = match Loaded::parse(text) {
        Ok(loaded) => loaded,
        Err(fault) => return assert!(chain(&fault).starts_with("the configuration")),
    };
    let Settings { line, broker, .. } = &loaded.settings;
    assert!(broker.check().is_ok() && !broker.host.is_empty());
    let coverage = &line.coverage;
    for share in [coverage.min_chunks, coverage.min_gauges, coverage.min_cells] {
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
    assert!(line.max_open >= 4 && line.silence_s > 0 && !line.id.is_empty());
    assert!(!line.topics.prefix.contains(['+', '#']));
    let limits = loaded.settings.limits();
    assert!(limits.cap > limits.reserve && limits.reserve > 0, "{limits:?}");
    // Each setting has one origin, and all of them are told.
    let keys: BTreeSet<&str> = loaded.origins().iter().map(|origin| origin.key.as_str()).collect();
    assert_eq!(keys.len(), loaded.origins().len());
    let defaults = Loaded::parse("").expect("nothing set is a configuration");
    assert!(defaults.origins().iter().all(|origin| keys.contains(origin.key.as_str())));
}

/// Every setting with its default, a small file, and files with a mistake.
pub fn seeds() -> Vec<Vec<u8>> {
    let defaults = Loaded::parse("").expect("nothing set is a configuration");
    let lines: Vec<_> = defaults.origins().iter().map(|o| format!("{} = {}", o.key, o.value)).collect();
    let all = lines.join("\n");
    let texts = [
        all.as_str(),
        "[broker]\nhost = \"broker.plant\"\n[line]\nsilence_s = 60\n",
        "[line.coverage]\nmin_chunks = nan\nmax_missing_m = inf\n",
        "[line.coverage]\nmin_gauges = 2\n",
        "[line.coverage]\nmin_cells = -0.5\n",
        "[archive]\ncap_mib = 17592186044417\nreserve_mib = 1\n",
        "[broker.tls]\nenabled = \"yes\"\n[[line]]\n",
        "\"line[3].id\" = 1\nstate = 1979-05-27T07:32:00Z\n",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
