//! What is an agent asked by its group? Plain values; each life of an agent has a number, so that an order for a life
//! that is over, or never began, is told from one for the present.

/// One thing that a group asks of an agent that it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Begin the life with this number.
    Begin(u64),
    /// It died by itself and will come back.
    Retain,
    /// End this life, whether it has begun or not, and wait.
    Halt(u64),
    /// The agent's own: its life is over.
    Leave,
}

/// Orders that the agent has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orders {
    pub(super) begin: Option<u64>,
    pub(super) halt: Option<u64>,
    pub(super) retain: bool,
    pub(super) leave: bool,
}

impl Orders {
    pub(super) fn add(&mut self, order: Order) {
        match order {
            Order::Begin(life) => self.begin = Some(life),
            Order::Retain => self.retain = true,
            Order::Leave => self.leave = true,
            Order::Halt(life) => {
                self.halt = Some(life);
                // A life that is halted before it began does not begin.
                self.begin = self.begin.filter(|begin| *begin > life);
            }
        }
    }

    /// Whether the agent is to handle no more messages.
    pub(super) fn interrupt(&self) -> bool {
        self.halt.is_some() || self.leave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(all: &[Order]) -> Orders {
        let mut orders = Orders::default();
        all.iter().for_each(|order| orders.add(*order));
        orders
    }

    #[test]
    fn a_life_that_is_halted_before_it_began_does_not_begin_and_the_next_one_does() {
        let halted = orders(&[Order::Begin(2), Order::Halt(2)]);
        assert_eq!((halted.begin, halted.halt), (None, Some(2)));
        let again = orders(&[Order::Begin(2), Order::Halt(2), Order::Begin(3)]);
        assert_eq!((again.begin, again.halt), (Some(3), Some(2)));
        assert!(again.interrupt() && !orders(&[Order::Begin(1), Order::Retain]).interrupt());
    }
}
