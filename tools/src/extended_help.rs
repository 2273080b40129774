//! `--help-extended`: the help of every verb, one after the other.

use clap::Command;

/// Prints it.
pub fn print(mut command: Command) {
    // Only a command that is built knows how it is called as a whole.
    command.build();
    print_of(&mut command);
}

fn print_of(command: &mut Command) {
    let help = command.render_long_help();
    match command.get_bin_name().filter(|name| name.contains(' ')) {
        Some(name) => println!("\n== {name} ==\n\n{help}"),
        None => println!("{help}"),
    }
    command.get_subcommands_mut().filter(|verb| verb.get_name() != "help").for_each(print_of);
}
