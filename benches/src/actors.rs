//! The figures: `cargo bench -p callboard-benches`, which prints a table to standard output and its progress to standard
//! error. What each row compares stands in the file of `measure/` that has its name.

use callboard_benches::measure::{ALL, memory};
use callboard_benches::options::Options;
use callboard_benches::table;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == memory::CHILD).is_some() {
        return memory::child(arguments);
    }
    let options = match Options::from_arguments(arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            std::process::exit(2);
        }
    };
    let wanted: Vec<_> = ALL.iter().filter(|measure| options.wants(measure.name)).collect();
    if wanted.is_empty() {
        return;
    }
    println!("{}", table::head());
    for measure in wanted {
        measure.run(&options);
    }
    println!("\n{}", table::caption(&options));
}
