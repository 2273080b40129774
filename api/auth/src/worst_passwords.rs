//! The passwords that guessers try first, as far as they are long enough to be taken at all.
//!
//! People have chosen these again and again: whoever has the hashes or the patience of a login form
//! finds them within minutes. Shorter ones are refused for their length.

/// In byte order and lower case.
// One a line would be a file of a thousand lines.
#[rustfmt::skip]
const WORST: &[&str] = &[
    "!@#$%^&*", "!@#$%^&*(", "!@#$%^&*()", "!qaz1qaz", "!qaz2wsx", "!qaz@wsx", "!qazxsw2",
    "!qwerty1", "00000000", "000000000", "0000000000", "01234567", "012345678", "0123456789",
    "01234567890", "0987654321", "10203040", "1020304050", "102030405060", "1029384756", "11111111",
    "111111111", "1111111111", "11111111111", "11112222", "11223344", "1122334455", "112233445566",
    "12121212", "1212121212", "123123123", "1231231231", "123123123a", "123321123", "123321123321",
    "1234!@#$", "12341234", "1234123412", "123412345", "12344321", "1234512345", "123454321",
    "1234554321", "123456123456", "123456654321", "12345678", "123456789", "1234567890",
    "12345678900", "1234567891", "12345678910", "123456789a", "123456789q", "123456789z",
    "12345678a", "12345678q", "12345679", "1234567a", "1234567q", "123456aa", "123456ab",
    "123456abc", "123456qwerty", "12345abc", "12345abcde", "12345qwert", "1234abcd", "1234qwer",
    "1234rewq", "123654789", "123abc123", "123qwe123", "123qweasd", "123qweasdzxc", "13131313",
    "1314520520", "1357924680", "14141414", "14725836", "147258369", "147852369", "159159159",
    "159357258", "159753456", "1a2b3c4d", "1a2b3c4d5e", "1q2w3e4r", "1q2w3e4r!", "1q2w3e4r5t",
    "1q2w3e4r5t6y", "1qaz!@#$", "1qaz!qaz", "1qaz1qaz", "1qaz2wsx", "1qaz2wsx!", "1qaz2wsx3edc",
    "1qaz@wsx", "1qaz@wsx3edc", "1qazxcvb", "1qazxsw2", "20202020", "21212121", "22222222",
    "222222222", "23232323", "25252525", "2wsx3edc", "31415926", "321321321", "33333333",
    "3edc4rfv", "44444444", "45454545", "456456456", "5201314520", "54545454", "55555555",
    "555555555", "654321654321", "66666666", "666666666", "69696969", "74108520", "741852963",
    "753951456", "77777777", "777777777", "78945612", "789456123", "7894561230", "789789789",
    "852456852", "87654321", "87654321a", "88888888", "888888888", "963852741", "98765432",
    "987654321", "9876543210", "98989898", "99887766", "99999999", "999999999", "a1234567",
    "a12345678", "a123456789", "a1b2c3d4", "a1b2c3d4e5", "a1s2d3f4", "a1s2d3f4g5", "a5201314",
    "aa112233", "aa123456", "aa12345678", "aa123456789", "aaaa1111", "aaaaaaaa", "aaaaaaaaa",
    "aaaaaaaaaa", "aabbccdd", "abc123!@#", "abc12345", "abc123456", "abc123456789", "abc123abc",
    "abcabcabc", "abcd1234", "abcd12345", "abcd123456", "abcdabcd", "abcde12345", "abcdef123",
    "abcdefg1", "abcdefgh", "abcdefghi", "abcdefghij", "abracadabra", "access12", "access123",
    "access14", "admin!@#", "admin123", "admin123!", "admin1234", "admin12345", "admin123456",
    "admin2020", "admin2021", "admin2022", "admin2023", "admin@123", "adminadmin", "administrator",
    "administrator1", "adminpass", "adminpassword", "alejandra", "alejandro", "alexander",
    "alexander1", "alexandra", "alexandre", "alohomora", "amanda12", "america1", "anderson",
    "andrea12", "andrew12", "angelica", "anhyeuem", "anthony1", "arsenal1", "as123456",
    "as12345678", "asd12345", "asd123456", "asd123asd", "asdasd123", "asdasdasd", "asdf!@#$",
    "asdf1234", "asdf12345", "asdfasdf", "asdfasdfasdf", "asdfghjk", "asdfghjkl", "asdfghjkl1",
    "asdfghjkl123", "asdfghjkl;", "asdfjkl;", "asdfqwer", "asdfzxcv", "asdqwe123", "ashley12",
    "ashley123", "asshole1", "autumn2020", "autumn2021", "autumn2022", "autumn2023", "autumn2024",
    "azerty12", "azerty123", "azertyui", "azertyuiop", "babyblue", "babyboy1", "babygirl",
    "babygirl1", "babygirl12", "banana12", "banana123", "barcelona", "barcelona1", "baseball",
    "baseball1", "baseball12", "basketball", "basketball1", "batman123", "bbbbbbbb", "benjamin",
    "besiktas", "blackberry", "blink182", "blowjob1", "bonjour1", "brasil12", "brasil123",
    "brittany", "bullshit", "buster12", "buster123", "butterfly", "butterfly1", "caroline",
    "catherine", "cccccccc", "changeit", "changeme", "changeme!", "changeme1", "changeme12",
    "changeme123", "changepassword", "changethis", "charlie1", "charlie12", "charlie123",
    "charlotte", "cheese12", "chelsea1", "chelsea123", "chicken1", "chicken123", "chocolate",
    "chocolate1", "christian", "christian1", "christine", "christopher", "cocacola", "computer",
    "computer1", "computer123", "consumer", "contrasena", "cookie12", "cookie123", "corinthians",
    "correcthorsebatterystaple", "corvette", "cowboys1", "creative", "cristian", "cristiano",
    "cristina", "crystal1", "cupcake1", "daniel12", "daniel123", "danielle", "danielle1",
    "dddddddd", "december", "default1", "default123", "defaultpassword", "demo1234", "demodemo",
    "destiny1", "diamond1", "docker123", "dolphin1", "dolphins", "doudou123", "dragon12",
    "dragon123", "dragonball", "dragonballz", "eagles12", "einstein", "elephant", "elizabeth",
    "elizabeth1", "eminem12", "estrella", "explorer", "facebook", "facebook1", "facebook123",
    "fenerbahce", "fernanda", "fernando", "ferrari1", "firebird", "flamengo", "flower12",
    "flower123", "football", "football1", "football12", "football123", "forever1", "francesco",
    "francisco", "freedom1", "fuckoff1", "fuckyou!", "fuckyou1", "fuckyou12", "fuckyou123",
    "fuckyou2", "fuckyou69", "fussball", "g9l2d1fzpy", "gabriel1", "gabriela", "galatasaray",
    "gangsta1", "gangster", "garfield", "garfield1", "george12", "gfhjkm12", "gfhjkm123",
    "ghbdtn12", "ginger12", "giovanni", "godzilla", "google123", "guest123", "guestguest",
    "hahahaha", "hallo123", "hallo1234", "hannah12", "harley12", "harrypotter", "haslo123",
    "hello123", "hello1234", "hello12345", "hellohello", "hellokitty", "helloworld", "heyhey123",
    "hockey12", "hunter12", "hunter123", "ilovegod", "ilovejesus", "iloveme1", "iloveu12",
    "iloveu123", "iloveyou", "iloveyou!", "iloveyou.", "iloveyou1", "iloveyou12", "iloveyou123",
    "iloveyou2", "iloveyou3", "iloveyou7", "iloveyousomuch", "internet", "internet1", "isabella",
    "isabelle", "jackass1", "jasmine1", "jennifer", "jennifer1", "jessica1", "jessica12",
    "jonathan", "jonathan1", "jordan12", "jordan123", "jordan23", "josephine", "joshua12",
    "juventus", "juventus1", "katherine", "kawasaki", "killer12", "killer123", "kimberly",
    "kristina", "ladybug1", "lakers24", "leonardo", "letmein!", "letmein1", "letmein12",
    "letmein123", "letmein2", "letmeinnow", "liberty1", "lifehack", "lightning", "linkedin",
    "liverpool", "liverpool1", "liverpoolfc", "lkjhgfdsa", "login123", "lollipop", "lollipop1",
    "london12", "london123", "loulou123", "love1234", "love12345", "lovelove", "loveme12",
    "loveyou1", "loveyou2", "madison1", "manager1", "manager123", "manchester", "manunited",
    "manutd12", "margaret", "marianne", "mariposa", "marlboro", "marseille", "marseille1",
    "master12", "master123", "mateusz1", "matthew1", "maverick", "melissa1", "mercedes",
    "mercedes1", "messi123", "metallica", "metallica1", "michael1", "michael12", "michael123",
    "michelle", "michelle1", "microsoft", "midnight", "minecraft", "minecraft1", "mnbvcxza",
    "monkey12", "monkey123", "motdepasse", "motorola", "motorola1", "mustang1", "mypassword",
    "myspace1", "myspace123", "mysql123", "naruto123", "nastya12", "natasha1", "newpassword",
    "newyork1", "nicholas", "nicholas1", "nicole12", "nicole123", "nikita12", "nintendo",
    "nokia123", "nopassword", "nothing1", "november", "october1", "opensesame", "oracle123",
    "orange12", "orange123", "p@$$w0rd", "p@$$word", "p@ssw0rd", "p@ssw0rd!", "p@ssw0rd1",
    "p@ssw0rd12", "p@ssw0rd123", "p@ssword", "p@ssword1", "p@ssword123", "pa$$w0rd", "pa$$w0rd1",
    "pa$$word", "pa$$word1", "pa55w0rd", "pa55word", "palmeiras", "parola12", "parola123",
    "pass1234", "pass12345", "pass123456", "pass@123", "pass@1234", "passpass", "passport1",
    "passw0rd", "passw0rd!", "passw0rd1", "passw0rd12", "passw0rd123", "password", "password!",
    "password.1", "password0", "password00", "password01", "password02", "password1", "password1!",
    "password10", "password11", "password12", "password12!", "password123", "password123!",
    "password1234", "password12345", "password123456", "password13", "password2", "password21",
    "password22", "password23", "password3", "password4", "password5", "password69", "password7",
    "password77", "password8", "password88", "password9", "password99", "password?", "password@1",
    "password@12", "password@123", "passwordpassword", "passwort", "passwort1", "patricia",
    "peaches1", "peanut12", "pepper12", "phoenix1", "playboy1", "poiuytre", "poiuytrewq",
    "pokemon1", "pokemon12", "pokemon123", "polska12", "polska123", "porsche1", "postgres",
    "postgres1", "precious", "precious1", "princess", "princess1", "princess12", "princess123",
    "purple12", "purple123", "pussy123", "q1234567", "q12345678", "q123456789", "q1w2e3r4",
    "q1w2e3r4t5", "q1w2e3r4t5y6", "qazqazqaz", "qazwsx12", "qazwsx123", "qazwsxedc", "qazwsxedcrfv",
    "qq123456", "qq123456789", "qqqqqqqq", "qwaszx12", "qwe12345", "qwe123456", "qwe123qwe",
    "qweasd12", "qweasd123", "qweasdzxc", "qweasdzxc123", "qweqweqwe", "qwer!@#$", "qwer1234",
    "qwer12345", "qwerasdf", "qwerqwer", "qwerty01", "qwerty1!", "qwerty11", "qwerty12",
    "qwerty123", "qwerty123!", "qwerty1234", "qwerty12345", "qwerty123456", "qwerty123456789",
    "qwerty13", "qwerty21", "qwerty22", "qwerty77", "qwerty78", "qwerty99", "qwertyqwerty",
    "qwertyu1", "qwertyui", "qwertyuio", "qwertyuiop", "qwertyuiop1", "qwertyuiop123",
    "qwertyuiop[]", "qwertz123", "qwertzui", "qwertzuiop", "rachel12", "rainbow1", "rainbow12",
    "rangers1", "raspberry", "realmadrid", "rebecca1", "remember", "richard1", "robert12",
    "robert123", "rockstar", "rockstar1", "rockyou1", "ronaldinho", "ronaldo123", "ronaldo7",
    "root1234", "root12345", "root123456", "rootpass", "rootpassword", "rootroot", "s1234567",
    "samantha", "samantha1", "samolot1", "samsung1", "samsung12", "samsung123", "schalke04",
    "scorpio1", "scorpion", "sebastian", "sebastian1", "secret12", "secret123", "secret1234",
    "security", "security1", "senha123", "september", "sergey12", "server123", "sexsexsex",
    "sexy1234", "shadow11", "shadow12", "shadow123", "sifre123", "skywalker", "slipknot",
    "snoopy12", "snowball", "snowflake", "soccer10", "soccer12", "soccer123", "softball",
    "sommer12", "sony1234", "spiderman", "spiderman1", "spiderman123", "spongebob", "spongebob1",
    "spring2020", "spring2021", "spring2022", "spring2023", "spring2024", "ssssssss", "startrek",
    "starwars", "starwars1", "steelers", "steelers1", "stephanie", "stephanie1", "strawberry",
    "suckmydick", "summer12", "summer123", "summer2019", "summer2020", "summer2021", "summer2022",
    "summer2023", "summer2024", "sunflower", "sunshine", "sunshine1", "sunshine12", "sunshine123",
    "superman", "superman1", "superman123", "superstar", "sweetheart", "sweetpea", "swordfish",
    "system123", "teamomucho", "teiubesc", "temp1234", "temporary", "temppass", "tequiero",
    "test1234", "test12345", "test123456", "test@123", "teste123", "tester123", "testing1",
    "testing12", "testing123", "testing1234", "testpass", "testpassword", "testtest", "thepassword",
    "thomas12", "thomas123", "thunder1", "thunderbird", "tigger12", "tigger123", "tinkerbell",
    "toortoor", "topsecret", "trustno1", "trustnoone", "unknown1", "user1234", "user12345",
    "user123456", "username", "useruser", "valentin", "valentina", "veronica", "vfrcbv123",
    "victoria", "victoria1", "vincent1", "vladimir", "volleyball", "wachtwoord", "welcome!",
    "welcome01", "welcome1", "welcome1!", "welcome12", "welcome123", "welcome1234", "welcome2",
    "welcome2020", "welcome2021", "welcome2022", "welcome2023", "welcome2024", "welcome@123",
    "welkom01", "welkom12", "welkom123", "whatever", "whatever1", "william1", "windows1",
    "windows10", "winter12", "winter123", "winter2020", "winter2021", "winter2022", "winter2023",
    "winter2024", "woaini123", "woaini1314", "woaini520", "woaiwojia", "wolverine", "wordpass",
    "xxxxxxxx", "yamaha12", "yankees1", "yellow12", "z123456789", "zaq12wsx", "zaq1@wsx",
    "zaq1xsw2", "zaq1zaq1", "zaqxswcde", "zxc12345", "zxc123456", "zxcasdqwe", "zxcasdqwe123",
    "zxcv1234", "zxcvbnm,", "zxcvbnm,./", "zxcvbnm1", "zxcvbnm12", "zxcvbnm123", "zxcvzxcv",
    "zxczxczxc", "zz123456", "zzzzzzzz",
];

/// Whether a password is one of them, in whatever case it is written.
pub fn contains(password: &str) -> bool {
    let lower = password.to_lowercase();
    WORST.binary_search(&lower.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{WORST, contains};

    #[test]
    fn the_list_is_in_order_in_lower_case_and_each_stands_there_once() {
        assert!(WORST.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(WORST.iter().all(|word| word.len() >= 8 && *word == word.to_lowercase()));
        assert!(WORST.len() >= 200);
    }

    #[test]
    fn a_password_is_found_in_any_case_and_others_are_not() {
        for password in ["password", "PassWord1", "12345678", "QWERTYUIOP", "zzzzzzzz"] {
            assert!(contains(password), "{password}");
        }
        for password in ["", "passwor", "passwordx", "engine-no-1", "correct-horse"] {
            assert!(!contains(password), "{password}");
        }
    }
}
