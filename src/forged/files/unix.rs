//! What else can be at a path, and whose it is.

use std::os::unix::{
    fs::{PermissionsExt, chown, symlink},
    net::UnixListener,
};

use super::*;

#[test]
fn what_is_no_file_is_refused_at_once() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let (pipe, socket, looped) =
            (honest.place.file("pipe"), honest.place.file("socket"), honest.place.file("looped"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&looped, &looped).unwrap();
        for path in ["/dev/zero", "/dev/null", "/dev/tty", "/dev/stdin", "/proc/self/mem", "/proc/self/maps", "/"]
            .map(PathBuf::from)
            .into_iter()
            .chain([pipe, socket, looped])
        {
            let shown = path.display().to_string();
            let token = honest.forged_at(&path, &honest.fields, &VALUE.len());
            let fault = fault(&shown, honest.refused(&shown, &token));
            // What `/proc` has looks like files, which have no length.
            assert!(
                matches!(
                    fault,
                    FileFault::NotAFile(_)
                        | FileFault::Denied(_)
                        | FileFault::Absent
                        | FileFault::NoHeader { .. }
                        | FileFault::TooShort { .. }
                        | FileFault::Failed { .. }
                        | FileFault::Path(_)
                ),
                "{shown}: {fault:?}"
            );
        }
        honest.claim_after("what is no file");
    }
}

#[test]
fn a_file_that_others_can_write_is_not_mapped_on_the_word_of_a_token() {
    for kind in KINDS {
        for mode in [0o666, 0o602, 0o777] {
            let honest = Honest::new(kind);
            fs::set_permissions(&honest.path, fs::Permissions::from_mode(mode)).unwrap();
            let fault = fault("mode", honest.refused("mode", &honest.twin(|_| ())));
            assert!(matches!(&fault, FileFault::Owner { .. }), "{mode:o}: {fault}");
            // Who opens it by its path answers for it.
            // SAFETY: nobody changes it but this crate.
            drop(unsafe { file::open_mut::<[u16]>(&honest.path) }.unwrap());
        }
        let honest = Honest::new(kind);
        fs::set_permissions(&honest.path, fs::Permissions::from_mode(0o644)).unwrap();
        honest.claim_after("that all can read it");
    }
}

#[test]
fn a_file_of_another_user_is_not_mapped_on_the_word_of_a_token() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        if chown(&honest.path, Some(12_345), None).is_err() {
            return println!("skipped: this user can't give files away");
        }
        let fault = fault("owner", honest.refused("owner", &honest.twin(|_| ())));
        assert!(matches!(&fault, FileFault::Owner { found } if found.contains("12345")), "{fault}");
        chown(&honest.path, Some(0), None).unwrap();
        honest.claim_after("that it was another's");
    }
}

#[test]
fn a_symbolic_link_leads_to_what_it_leads_to() {
    let honest = Honest::new(Kind::Shared);
    let link = honest.place.file("link");
    symlink(&honest.path, &link).unwrap();
    let token = honest.forged_at(&link, &honest.fields, &VALUE.len());
    assert_eq!(SharedSlice::<u16>::from_token(&token.text()).unwrap(), VALUE);
}
