//! The photograph with a circle around each star.

use image::{Rgb, RgbImage};
use ndarray::{ArrayView2, ArrayView3};

use crate::detect::{Sky, Star};

const COLOUR: Rgb<u8> = Rgb([80, 255, 120]);
/// Pixels between the edge of a star and its circle.
const GAP: usize = 4;
/// No circle has a larger radius, in pixels.
const LARGEST: usize = 40;

/// A copy of the photograph in which each star has a circle a little larger than itself.
pub(crate) fn annotate(image: ArrayView3<'_, u8>, smoothed: ArrayView2<'_, f32>, stars: &[Star], sky: Sky) -> RgbImage {
    let (height, width, _) = image.dim();
    let mut picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb([0, 1, 2].map(|channel| image[[y as usize, x as usize, channel]]))
    });
    for star in stars {
        circle(&mut picture, star, extent(smoothed, star, sky) + GAP);
    }
    picture
}

/// How many pixels a star reaches to the left or right, whichever is less, before it is half as bright above the
/// background.
fn extent(smoothed: ArrayView2<'_, f32>, star: &Star, sky: Sky) -> usize {
    let half = (star.brightness + sky.background) / 2.0;
    let bright =
        |column: Option<usize>| column.and_then(|x| smoothed.get((star.row, x))).is_some_and(|&value| value > half);
    (1..LARGEST)
        .take_while(|&reach| bright(star.column.checked_sub(reach)) && bright(Some(star.column + reach)))
        .count()
}

fn circle(picture: &mut RgbImage, star: &Star, radius: usize) {
    let (centre_x, centre_y, reach) = (star.column as i64, star.row as i64, radius as i64 + 1);
    for y in -reach..=reach {
        for x in -reach..=reach {
            let distance = ((x * x + y * y) as f32).sqrt();
            if (distance - radius as f32).abs() < 0.6
                && let (Ok(x), Ok(y)) = (u32::try_from(centre_x + x), u32::try_from(centre_y + y))
                && let Some(pixel) = picture.get_pixel_mut_checked(x, y)
            {
                *pixel = COLOUR;
            }
        }
    }
}
