//! `keep_versions = "30d"` is a short form of `keep = { all = "30d" }`: a layer says one of both, and with it replaces what the layer
//! below says of either.

use crate::keep::Keep;
use crate::settings::{NO_VERSIONS, Policy};
use octo_api::error::ApiError;

impl Policy {
    fn keeps(&self) -> Option<&Keep> {
        self.keep.as_ref().filter(|keep| !keep.is_empty())
    }

    /// A layer without what this one says in the other form.
    pub(crate) fn without_its_other_form(&self, below: &Policy) -> Policy {
        match (self.keeps(), &self.keep_versions) {
            (Some(_), _) => Policy { keep_versions: None, ..below.clone() },
            (None, Some(_)) => Policy { keep: None, ..below.clone() },
            (None, None) => below.clone(),
        }
    }

    /// Refuses a layer that says both.
    pub(crate) fn check_one_form(&self) -> Result<(), ApiError> {
        let (Some(_), Some(versions)) = (self.keeps(), &self.keep_versions) else { return Ok(()) };
        let why = match versions.as_str() {
            NO_VERSIONS => format!("with keep_versions={NO_VERSIONS} there is nothing to keep: give one of both"),
            time => format!("keep_versions={time} is a short form of keep=all={time}: give one of both"),
        };
        Err(ApiError::field("policy.keep", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::retention::{KeepPolicy, KeepVersions};

    #[test]
    fn a_layer_says_it_in_one_form_and_replaces_both_of_the_layer_below() {
        let layer = |text: &str| serde_json::from_str::<Policy>(text).unwrap();
        let days = layer(r#"{"keep_versions":"5d"}"#);
        let rules = layer(r#"{"keep":{"daily":3}}"#);
        let none = layer(r#"{"keep_versions":"none"}"#);
        let of = |upper: &Policy, lower: &Policy| {
            let local = crate::mirror_spec::Origin::local(std::path::Path::new("/srv"));
            upper.over(lower).resolve().unwrap().mirror_spec(local).keep_versions()
        };
        let daily = KeepVersions::Of(KeepPolicy { daily: 3, ..KeepPolicy::default() });
        assert_eq!(of(&days, &rules), KeepVersions::secs(5 * 86_400));
        assert_eq!(of(&rules, &days), daily);
        assert_eq!(of(&rules, &none), daily);
        assert_eq!(of(&none, &rules), KeepVersions::No);
        assert_eq!(of(&Policy::default(), &rules), daily);
        assert_eq!(of(&Policy::default(), &Policy::default()), KeepVersions::default());
        for both in [r#"{"keep_versions":"5d","keep":{"daily":3}}"#, r#"{"keep_versions":"none","keep":"daily=3"}"#] {
            let error = layer(both).check().unwrap_err();
            assert_eq!(error.field.as_deref(), Some("policy.keep"));
            assert!(error.detail.contains("give one of both"), "{error}");
        }
    }
}
