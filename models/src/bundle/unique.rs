//! Maps in which no key stands twice: JSON readers differ in which of two they take, so two people who read one
//! signed text would see two things.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::marker::PhantomData;

/// Reads a map and refuses a key that stands twice.
pub(super) fn once<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + Display,
    V: Deserialize<'de>,
{
    struct Once<K, V>(PhantomData<(K, V)>);

    impl<'de, K, V> Visitor<'de> for Once<K, V>
    where
        K: Deserialize<'de> + Ord + Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map in which no key stands twice")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<K>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("the key {key} stands twice")));
                }
                map.insert(key, access.next_value()?);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(Once(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Holder {
        #[serde(deserialize_with = "once")]
        map: BTreeMap<String, u32>,
    }

    #[test]
    fn a_key_stands_once() {
        let read = serde_json::from_str::<Holder>;
        assert_eq!(read(r#"{"map": {"a": 1, "b": 2}}"#).unwrap().map.len(), 2);
        let error = read(r#"{"map": {"a": 1, "a": 1}}"#).unwrap_err().to_string();
        assert!(error.contains("the key a stands twice"), "{error}");
    }
}
