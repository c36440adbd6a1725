//! Who wins when several say something? The layers, laid one over the other, and the configuration that comes out; pure.

use std::collections::BTreeMap;

use callboard_actors::gateway::Price;

use super::error::ConfigError;
use super::keys::{KEYS, Key, Name, Side};
use super::origin::Origin;
use super::value::{Money, Value};
use super::{BUILTIN, BY_RULES, Config, WITH_MODEL};

/// One thing that a layer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of what.
    pub name: Name,
    /// What it is to be.
    pub value: Value,
    /// Who says so.
    pub origin: Origin,
}

impl Entry {
    /// What a flag says; `None` when there is no such key.
    pub fn of_flag(key: &str, value: Value) -> Option<Self> {
        let key = Key::find(key)?;
        Some(Self { name: Name::Key(key.name), value, origin: Origin::Flag(key.flag?) })
    }
}

/// A value, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value; `None` when there is none, such as for a limit that nobody set.
    pub value: Option<Value>,
    /// Who said it.
    pub origin: Origin,
}

/// Every key with its value and its origin; of prices those that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(BTreeMap<Name, Setting>);

impl Settings {
    /// The defaults.
    pub(super) fn defaults() -> Self {
        let config = Config::default();
        let of = |key: &Key| (Name::Key(key.name), Setting { value: key.of(&config), origin: Origin::Default });
        Self(KEYS.iter().map(of).collect())
    }

    /// Lays one layer over what is there.
    pub(super) fn lay(&mut self, layer: Vec<Entry>) {
        for Entry { name, value, origin } in layer {
            self.0.insert(name, Setting { value: Some(value), origin });
        }
    }

    /// A deadline that nobody set is longer with a language model than without.
    pub(super) fn give_a_model_time(&mut self) {
        let name = Name::Key("model.name");
        let is_model = |setting: &Setting| setting.value != Some(Value::Text(BUILTIN.to_owned()));
        let has_model = self.0.get(&name).is_some_and(is_model);
        if let Some(deadline) = self.0.get_mut(&Name::Key("research.deadline"))
            && deadline.origin == Origin::Default
        {
            deadline.value = Some(Value::Time(if has_model { WITH_MODEL } else { BY_RULES }));
        }
    }

    /// The setting with this name.
    pub fn get(&self, name: &Name) -> Option<&Setting> {
        self.0.get(name)
    }

    /// Every setting: the keys in the order of [`KEYS`], then the prices.
    pub fn all(&self) -> impl Iterator<Item = (&Name, &Setting)> {
        let keys = KEYS.iter().filter_map(|key| self.0.get_key_value(&Name::Key(key.name)));
        keys.chain(self.0.iter().filter(|(name, _)| matches!(name, Name::Price(..))))
    }

    /// The configuration that they make.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        for (name, setting) in self.all() {
            match (name, &setting.value) {
                (Name::Key(name), Some(value)) => {
                    let Some(key) = Key::find(name) else { continue };
                    let fits = key.kind.check(value).and_then(|()| key.set(&mut config, value).ok_or_else(String::new));
                    fits.map_err(|problem| ConfigError::value(&setting.origin, key, value, problem))?;
                }
                (Name::Price(model, side), Some(_)) => {
                    let price = self.price(model, *side, &setting.origin)?;
                    config.prices.set(model.clone(), price);
                }
                (_, None) => {}
            }
        }
        Ok(config)
    }

    /// Both sides of a model's price, of which `side` is there.
    fn price(&self, model: &str, side: Side, origin: &Origin) -> Result<Price, ConfigError> {
        let of = |side| match self.0.get(&Name::Price(model.to_owned(), side)) {
            Some(Setting { value: Some(Value::Money(Money(micros))), .. }) => Some(*micros),
            _ => None,
        };
        match (of(Side::Input), of(Side::Output)) {
            (Some(input), Some(output)) => Ok(Price { input, output }),
            _ => {
                let (has, lacks) = if side == Side::Input { ("input", "output") } else { ("output", "input") };
                Err(ConfigError::HalfAPrice { from: origin.to_string(), model: model.to_owned(), has, lacks })
            }
        }
    }
}
